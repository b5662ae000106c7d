"""Lines of a long body, read one by one in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, NamedTuple

CHUNK = 65536


class BodyLimits(NamedTuple):
    """The most of everything: bytes of a line, lines, bytes of the body."""

    line: int
    lines: int
    body: int


class BatchLine(NamedTuple):
    """A line without its end. `number`: from 1. Without a text it is, or what follows would be, more than `exceeded` allows."""

    number: int
    text: bytes | None
    exceeded: str = ""  # a field of BodyLimits; anything but `line` ends the reading
    broken: str = ""  # why the body cannot be read from here on


def read_lines(stream: IO[bytes], bounds: BodyLimits) -> Iterator[BatchLine]:
    """The lines of a body, which end with LF or CR LF, the last one with the body; blank ones are left out.

    Raises what reading the stream raises.
    """
    number, kept, dropped, total = 1, b"", False, 0
    while chunk := stream.read(CHUNK):
        total += len(chunk)
        if total > bounds.body:
            yield BatchLine(number, None, "body")
            return
        *ended, rest = chunk.split(b"\n")
        for piece in ended:
            yield from _line(number, kept + piece, dropped, bounds)
            number, kept, dropped = number + 1, b"", False
            if number > bounds.lines + 1:
                return
        kept += rest
        if len(kept) > bounds.line + 1:  # a CR may follow
            kept, dropped = b"", True
    yield from _line(number, kept, dropped, bounds)


def _line(number: int, text: bytes, dropped: bool, bounds: BodyLimits) -> Iterator[BatchLine]:
    text = text.removesuffix(b"\r")
    if not dropped and not text.strip(b" \t"):
        return
    if number > bounds.lines:
        yield BatchLine(number, None, "lines")
    elif dropped or len(text) > bounds.line:
        yield BatchLine(number, None, "line")
    else:
        yield BatchLine(number, text)
