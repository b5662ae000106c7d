"""Server-sent events: writes a stream of events (WHATWG HTML §9.2)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from xmpp_rest.http.client_gone import ClientConnection

TICK = 1.0  # seconds between two looks whether the client is still there
_LINES = re.compile("\r\n|\r|\n")
_BAD_FIELD = re.compile("[\r\n\0]")


class EndOfStream(Exception):
    """There will be no further event; the sentence says why."""

    def __init__(self, sentence: str, retry: float = 0.0) -> None:
        """`retry`: seconds after which the client is to come back, 0: as it likes."""
        super().__init__(sentence)
        self.retry = retry


class Source(Protocol):
    """Where events come from, written by `event` already."""

    def next(self, seconds: float) -> bytes | None:
        """The next event; None if there was none for so long. Raises EndOfStream."""

    def close(self) -> None:
        """The reader is gone; may be called again."""


class Out(Protocol):
    """The body of a response as the server sends it. Methods may be called by any thread, and do not wait."""

    def write(self, data: bytes) -> bool:
        """Send more; False: nothing of it was taken, as too much is pending, or the client has gone."""

    def close(self) -> None:
        """End the body, after what is pending."""

    @property
    def pending(self) -> int:
        """Bytes that the kernel has not taken yet."""


class PushedBody(Protocol):
    """The body of a response that the publisher writes, and no thread waits for.

    A server that can send one has a callable `xmpp_rest.push` in the environ of each request: a view calls it with the body, and with the
    seconds for which the client may take nothing, and returns an empty iterator.
    """

    def begin(self, out: Out) -> None:
        """The head of the answer has been sent: from now on anybody may write. Does not wait."""

    def gone(self) -> None:
        """The client has left, or has taken nothing for too long, or the answer became another one. Called once; does not wait."""


Push = Callable[[PushedBody, float], object]
"""What `PUSH` in an environ is."""
PUSH = "xmpp_rest.push"


def event(data: str, *, name: str = "", identifier: str = "") -> bytes:
    """One event. Raises ValueError for a name or an id with a line break or NUL."""
    lines = [_field("event", name), *(f"data: {line}\n" for line in _LINES.split(data)), "\n"]
    return id_line(identifier) + "".join(lines).encode("utf-8", "replace")


def id_line(identifier: str) -> bytes:
    """The line with the id of an event, which goes before all others. Raises ValueError for an id with a line break or NUL."""
    return _field("id", identifier).encode("utf-8", "replace")


def _field(field: str, value: str) -> str:
    if _BAD_FIELD.search(value):
        raise ValueError("the name and the id of an event are one line each")
    return f"{field}: {value}\n" if value else ""


def comment(text: str) -> bytes:
    """A line that readers pass over."""
    return f": {_LINES.sub(' ', text)}\n\n".encode("utf-8", "replace")


def retry_line(seconds: float) -> bytes:
    """The line that says after which time the client is to connect again (WHATWG HTML §9.2.6: in milliseconds)."""
    return b"retry: %d\n" % round(seconds * 1000)


def no_retry(_: float) -> bytes:
    """What formats say of that time that have no word for it."""
    return b""


HEARTBEAT = comment("ok")


class Framing(NamedTuple):
    """What a stream says beside its events."""

    first: bytes
    """What goes before all events; at once: with it the header fields go out."""
    beat: Callable[[], bytes]
    """What is said after a time of silence."""
    note: Callable[[str], bytes]
    """How it tells why it ends, or begins elsewhere than its reader asked."""
    retry: Callable[[float], bytes] = no_retry
    """How it tells, before that, after how many seconds the reader is to come back."""

    def end(self, sentence: str, retry: float) -> bytes:
        """What is said last. `retry`: 0: the reader comes back when it likes."""
        return (self.retry(retry) if retry else b"") + self.note(sentence)


COMMENTS = Framing(HEARTBEAT, lambda: HEARTBEAT, comment, retry_line)
"""That of server-sent events."""


class EventStream(Iterator[bytes]):
    """The body of a WSGI response: events, and what the framing says whenever there was none for `heartbeat` seconds.

    It ends when the source ends, which the framing tells, or when the client is gone. The server closes it.
    """

    def __init__(
        self, source: Source, connection: ClientConnection, heartbeat: float, clock: Callable[[], float] = time.monotonic,
        framing: Framing = COMMENTS,
    ) -> None:  # fmt: skip
        self._source = source
        self._framing = framing
        self._connection = connection
        self._heartbeat = heartbeat
        self._clock = clock
        self._due: float | None = None  # when to write something in any case
        self._ended = False

    def __next__(self) -> bytes:
        if self._due is None:
            return self._sent(self._framing.first)
        while not self._ended and not self._connection.gone():
            left = self._due - self._clock()
            try:
                block = self._source.next(max(0.0, min(left, TICK)))
            except EndOfStream as e:
                self._ended = True
                return self._framing.end(str(e), e.retry)
            if block is not None or left <= 0:
                return self._sent(block or self._framing.beat())
        raise StopIteration

    def _sent(self, block: bytes) -> bytes:
        self._due = self._clock() + self._heartbeat
        return block

    def close(self) -> None:
        self._source.close()
