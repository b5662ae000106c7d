"""Bodies of many lines (`application/x-ndjson`): read one by one in constant memory, and answered with as many lines.

Everything is read before anything is answered: a client may send all of it before it reads. What waits for that is in a file.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO, Any, BinaryIO, NamedTuple, cast

from flask import Request, Response

from xmpp_rest.http.body import FilePart, fill
from xmpp_rest.http.request import BadCoding, body_stream

NDJSON = "application/x-ndjson"
CHUNK = 65536
GROUP = 256  # lines that are sent together: as many as the link writes at once
GROUP_SIZE = 1 << 18  # bytes of these
IN_MEMORY = 1 << 20  # bytes of answers, before they go to a file
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


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


def grouped(lines: Iterable[BatchLine]) -> Iterator[list[BatchLine]]:
    """The lines in groups of at most GROUP, and of about GROUP_SIZE."""
    group: list[BatchLine] = []
    size = 0
    for line in lines:
        group.append(line)
        size += len(line.text or b"")
        if len(group) == GROUP or size >= GROUP_SIZE:
            yield group
            group, size = [], 0
    if group:
        yield group


def whole_lines(request: Request, bounds: BodyLimits) -> Iterator[BatchLine]:
    """The lines of a request's body; raises BadCoding only where there is not a single one, for what was read is done."""
    number = 0
    try:
        for line in read_lines(body_stream(request, bounds.body), bounds):
            number = line.number
            yield line
    except BadCoding as e:
        if not number:
            raise
        yield BatchLine(number + 1, None, broken=str(e.description))


def answer_lines(answers: Iterable[Any]) -> Response:
    """A response with one line for each of these, all of which are made first. Raises what making them raises."""
    written = cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=IN_MEMORY))  # noqa: SIM115 - the response closes it
    try:
        for answer in answers:
            written.write(_ENCODER.encode(answer).encode("utf-8", "replace") + b"\n")
    except BaseException:
        written.close()
        raise
    response = Response(content_type=NDJSON)
    fill(response, FilePart(written, 0, written.tell()))
    return response
