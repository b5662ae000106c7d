"""Event streams over HTTP: an account's events as server-sent events, in the form of each dialect."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any, NamedTuple

from drivers import StorageError
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.pushed_events import PushedEvents, Write
from xmpp_rest.errors import GatewayError
from xmpp_rest.http.client_gone import ClientConnection
from xmpp_rest.http.sse import COMMENTS, PUSH, EndOfStream, EventStream, Framing, Push
from xmpp_rest.protocol.jid import JID
from xmpp_rest.request_notes import NOTES
from xmpp_rest.service.accounts.ports import ListeningPort
from xmpp_rest.service.streams.registry import Event, Stream, StreamEnded
from xmpp_rest.threads.waits import there

__all__ = ["FIELDS", "Admission", "EventSource", "Manner", "Readers", "Write", "event_stream"]

FIELDS = {
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",  # nginx: hand every event on at once
}
"""What the head of an answer with events says."""

_UNKNOWN = "the event to resume after is unknown: the stream starts now"


class Admission(NamedTuple):
    """Whether a reader is still admitted, as `check` says; the same for all of the same `key`. `check` raises StorageError."""

    key: Hashable
    check: Callable[[], bool]


class Readers(NamedTuple):
    """Whom the events of a stream are for: whose they are, which are `wanted`, how they are written, by which API, and who has them."""

    owner: JID
    wanted: Callable[[Event], bool]
    write: Write
    api: str
    listening: ListeningPort


class Manner(NamedTuple):
    """What is special of a stream. `framing` is called once the stream is open, and may raise StorageError.

    `heartbeat`: seconds, None: as the settings say; `is_session`: whether its owner is an account, which is online by it.
    """

    framing: Callable[[], Framing] = lambda: COMMENTS
    heartbeat: float | None = None
    is_session: bool = True


USUAL = Manner()


class EventSource:
    """The events of a stream, written; what an EventStream sends, and closes."""

    RECHECK = 10.0
    """Seconds between two looks whether the reader is still admitted."""

    def __init__(self, stream: Stream, write: Write, first: bytes = b"") -> None:
        self._stream = stream
        self._write = write
        self._first = first

    def next(self, seconds: float) -> bytes | None:
        if self._first:
            first, self._first = self._first, b""
            return first
        try:
            happened = self._stream.next(seconds)
        except StreamEnded as e:
            raise EndOfStream(str(e), e.retry) from e
        except StorageError as e:
            raise EndOfStream(str(e)) from e
        return None if happened is None else self._write(happened)

    def close(self) -> None:
        self._stream.close()


def event_stream(
    gateway: Gateway, environ: Mapping[str, Any], readers: Readers, after: str | None, admission: Admission, manner: Manner = USUAL
) -> Iterator[bytes]:
    """The body of a response: the events after the one of the archive id `after`; where nobody knows that one, or without, from now on.

    It ends when the reader is no longer admitted. Where the server can send a PushedBody, it waits for events itself, and the body that is
    returned is empty. Raises GatewayError and StorageError.
    """
    if (notes := environ.get(NOTES)) is not None:
        notes.is_streamed()
    streams, bounds = gateway.parts.streams, gateway.settings.streams
    connection = ClientConnection(environ)
    push: Push | None = environ.get(PUSH)

    def open_after(last: str | None) -> Stream:
        return readers.listening.open(
            readers.owner, after=last, wanted=readers.wanted, peer=connection.peer,
            gone=there if push else connection.gone, holds_thread=push is None, api=readers.api,
            is_session=manner.is_session,
        )  # fmt: skip

    stream, note = _resume(open_after, after)
    try:
        framing = manner.framing()
    except BaseException:
        stream.close()
        raise
    first, heartbeat = framing.note(note) if note else b"", bounds.heartbeat if manner.heartbeat is None else manner.heartbeat
    streams.admissions.watch(stream, admission.key, admission.check, EventSource.RECHECK)
    if push is None:
        connection.bound_writes(bounds.write_timeout)
        return EventStream(EventSource(stream, readers.write, first), connection, heartbeat, framing=framing)
    push(PushedEvents(stream, streams, readers.write, first, heartbeat, framing), bounds.write_timeout)
    return iter(())


def _resume(open_after: Callable[[str | None], Stream], after: str | None) -> tuple[Stream, str]:
    """A stream, and what is to be told before its first event, "" for nothing."""
    try:
        return open_after(after), ""
    except GatewayError as e:
        if e.name != "event-unknown":
            raise
    return open_after(None), _UNKNOWN
