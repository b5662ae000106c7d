"""Reads server-sent events (WHATWG HTML §9.2.6)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol


class Lines(Protocol):
    """What lines of bytes are read from."""

    def readline(self, limit: int, /) -> bytes: ...


class ReceivedEvent(NamedTuple):
    """One event; or a comment, which has neither name nor id."""

    name: str
    id: str
    data: str
    comment: str = ""


MAX_LINE = 64 << 20  # bytes


def received(lines: Lines) -> Iterator[ReceivedEvent]:
    """The events as they are complete, and the comments between them, until the stream ends. Raises OSError, ValueError."""
    fields: dict[str, list[str]] = {}
    while line := lines.readline(MAX_LINE):
        if not line.endswith(b"\n"):
            if len(line) == MAX_LINE:
                raise ValueError("a line of the event stream is too long")
            return  # it broke off: what is not complete is dropped
        name, _, value = line.decode("utf-8", "replace").rstrip("\r\n").partition(":")
        value = value.removeprefix(" ")
        if name:
            fields.setdefault(name, []).append(value)
        elif value:
            yield ReceivedEvent("", "", "", value)
        elif fields:
            event, fields = fields, {}
            if "data" in event:
                yield ReceivedEvent(event.get("event", [""])[-1], event.get("id", [""])[-1], "\n".join(event["data"]))
