"""Event streams of accounts of other servers, in any process: the leader has their sessions, and reads their archives for them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from xmpp_rest.errors import GatewayError
from xmpp_rest.processes.group import Reply
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.sessions.listening.feeds import Feeds, reason_of
from xmpp_rest.service.sessions.listening.listeners import Listeners
from xmpp_rest.service.streams.fed_stream import FedStream, StreamPlace
from xmpp_rest.service.streams.registry import Reader, Streams, everything
from xmpp_rest.service.streams.stream import Event, Stream
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.waits import Wait, there

PATIENCE = 30.0  # seconds until a server has said where its archive ends


class ForeignStreams:
    """Opens streams; a `ListeningPort`."""

    def __init__(self, streams: Streams, listeners: Listeners, feeds: Feeds, size: int, remote: Remote) -> None:
        """`size`: events that may wait for one reader."""
        self._streams = streams
        self._listeners = listeners
        self._feeds = feeds
        self._size = size
        self._remote = remote
        remote.offer(self)

    def open(
        self,
        owner: JID,
        *,
        after: str | None = None,
        wanted: Callable[[Event], bool] = everything,
        gone: Callable[[], bool] = there,
        peer: tuple[str, int] = ("", 0),
        holds_thread: bool = True,
        api: str = "rest",
        is_session: bool = True,  # its server says that
    ) -> Stream:
        """As `Streams.open`. Raises GatewayError, also session-lost, and what the archive has answered."""
        epoch = self._streams.listen()
        stream = FedStream(owner, wanted, self._size, self._streams, peer, self._ask)
        self._streams.put(stream, Reader(gone, holds_thread, api), epoch)
        try:
            place = self._place(owner, after, Wait(PATIENCE, gone))
        except BaseException:
            stream.close()
            raise
        stream.begin(place, resumes=after is not None)
        return stream

    def _place_deferred(self, reply: Reply, owner: JID, after: str | None, wait: Wait) -> None:
        self._listeners.place(owner, after, reply)

    @on_leader(deferred=_place_deferred, repeatable=True)
    def _place(self, owner: JID, after: str | None, wait: Wait) -> StreamPlace:
        found: OneShot[StreamPlace | Exception] = OneShot()
        self._listeners.place(owner, after, found.give)
        place = found.wait(*wait)
        if isinstance(place, Exception):
            raise place
        if place is None:
            raise GatewayError("client-gone" if wait.gone() else "iq-timeout")
        return place

    def _ask(self, stream: FedStream, after: str) -> None:
        self._streams.pool.submit(partial(self._ask_leader, stream, after))

    def _ask_leader(self, stream: FedStream, after: str) -> None:
        try:
            self._begin_page(stream.described.jid, after)
        except Exception as e:
            stream.end(reason_of(e))

    @on_leader
    def _begin_page(self, stream: JID, after: str) -> None:
        """Have the page after this id brought to the stream of this full address, in any process."""
        self._listeners.page(stream.bare, after, partial(self._feeds.bring, stream))
