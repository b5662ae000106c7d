"""Event streams over HTTP: an account's events as server-sent events, in the form of each dialect."""

from __future__ import annotations

import time
from collections.abc import Callable

from drivers import StorageError
from xmpp_rest.errors import GatewayError
from xmpp_rest.http.sse import EndOfStream, comment
from xmpp_rest.service.streams.registry import Event, Stream, StreamEnded

FIELDS = {
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",  # nginx: hand every event on at once
}
"""What the head of an answer with events says."""

Write = Callable[[Event], bytes | None]
"""The text of an event; None for one that says nothing to these readers."""

_UNKNOWN = comment("the event to resume after is unknown: the stream starts now")


class EventSource:
    """The events of a stream, written; what an EventStream sends, and closes. It ends when its reader is no longer `admitted`."""

    RECHECK = 10.0
    """Seconds between two looks."""

    def __init__(self, stream: Stream, write: Write, admitted: Callable[[], bool], first: bytes | None = None) -> None:
        self._stream = stream
        self._write = write
        self._admitted = admitted
        self._first = first
        self._look_at = time.monotonic() + self.RECHECK

    def next(self, seconds: float) -> bytes | None:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        try:
            if time.monotonic() > self._look_at:
                self._look()
            happened = self._stream.next(seconds)
        except (StreamEnded, StorageError) as e:
            raise EndOfStream(str(e)) from e
        return None if happened is None else self._write(happened)

    def _look(self) -> None:
        if not self._admitted():
            raise EndOfStream("the credentials are no longer good")
        self._look_at = time.monotonic() + self.RECHECK

    def close(self) -> None:
        self._stream.close()


def resume(open_stream: Callable[[str | None], Stream], after: str | None, write: Write, admitted: Callable[[], bool]) -> EventSource:
    """The events after the one of the archive id `after`; where nobody knows that one, or without, those that come now.

    Raises what `open_stream` raises: GatewayError and StorageError.
    """
    try:
        return EventSource(open_stream(after), write, admitted)
    except GatewayError as e:
        if e.name != "event-unknown":
            raise
    return EventSource(open_stream(None), write, admitted, _UNKNOWN)
