"""The registry of the event streams of this process: opens them, and publishes events to them in all processes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from drivers import ItemNotFound
from xmpp_rest.config.table import StreamSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.events import Events
from xmpp_rest.incidents import Incidents
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.service.messages.archive import Archive, ArchiveFilter
from xmpp_rest.service.streams.directory import Directory, OpenStream
from xmpp_rest.service.streams.stream import ArchiveReplay, Event, Stream, StreamEnded, archive_id
from xmpp_rest.threads.tasks import OrderLock
from xmpp_rest.threads.waits import Waits

log = logging.getLogger(__name__)

__all__ = ["Event", "Stream", "StreamEnded", "Streams"]

STRIPES = 256
MAX_LATE = 50  # events before the one after which a reader resumes that may not have reached this process yet
DROP_TIMEOUT = 0.2  # seconds that other processes get to end the streams of readers that have left
EVENT, DROP_GONE, END = "event", "drop gone streams", "end stream"  # what is published, and broadcasts
LEADER_CHANGED = "another process leads now: resume"  # events in between are in the archive


def everything(_: Event) -> bool:
    return True


class Streams:
    """Publishes events to the streams of their owner, in all processes. Independent of HTTP, without threads; `stop()` ends all streams."""

    def __init__(
        self, archive: Archive, bounds: StreamSettings, waits: Waits, remote: Remote, events: Events, incidents: Incidents | None = None
    ) -> None:
        """`waits`: each stream waits for events, and holds a thread meanwhile."""
        self._archive = archive
        self._size = bounds.queue_size
        self._total = bounds.total
        self._waits = waits
        self._incidents = incidents or Incidents()
        self._per_owner = bounds.per_account
        self._open: dict[JID, dict[Stream, Callable[[], bool]]] = {}
        self.count = 0
        """The number of open streams."""
        self._lock = threading.Lock()
        self._events = events
        self._orders = [OrderLock() for _ in range(STRIPES)]
        self._stopped = False
        self.directory = Directory(remote, self._described)
        """The streams of all processes."""
        self._remote = remote
        remote.offer(self)
        remote.on_role(self._leader_changed)
        remote.on_published(EVENT, self._hear_published)
        remote.on_broadcast(DROP_GONE, self.drop_gone)
        remote.on_broadcast(END, self._end)

    def order(self, owner: JID) -> OrderLock:
        """The lock to hold while a stanza is archived for `owner` and published, so that streams have the order of the archive."""
        return self._orders[hash(owner) % STRIPES]

    @contextmanager
    def orders(self, owners: Iterable[JID]) -> Iterator[None]:
        """Hold the `order` of all of these."""
        with ExitStack() as held:
            for stripe in sorted({hash(owner) % STRIPES for owner in owners}):
                held.enter_context(self._orders[stripe])
            yield

    def publish(self, owner: JID, event: Event) -> None:
        """Publish a stanza that reached `owner`, or was sent by it; with an id, it is archived already. Raises nothing."""
        try:
            self._publish(owner, event)
        except Exception as e:
            self._incidents.report(log, "stream-untold", "the open streams of %s are not told of an event: %r", owner, e)

    @on_leader
    def _publish(self, owner: JID, event: Event) -> None:
        self.hear(owner, event)
        if self._remote.group.has_listeners:
            self._remote.publish(EVENT, owner=str(owner), event=event.to_json())

    def _hear_published(self, owner: str, event: list[Any]) -> None:
        jid = parse_jid(owner)
        if self.is_open(jid):  # usually nobody listens: then nothing is parsed
            self.hear(jid, Event.from_json(event))

    def _leader_changed(self, leads: bool) -> None:
        if not leads:
            self.restart(LEADER_CHANGED)

    def is_open(self, owner: JID) -> bool:
        """Whether anybody listens to `owner` in this process."""
        return owner in self._open

    def hear(self, owner: JID, event: Event) -> None:
        """Push an event to the streams of `owner` in this process."""
        for stream in tuple(self._open.get(owner, ())):
            stream.push(event)

    def open(
        self,
        owner: JID,
        *,
        after: str | None = None,
        wanted: Callable[[Event], bool] = everything,
        gone: Callable[[], bool] = lambda: False,
        peer: tuple[str, int] = ("", 0),
    ) -> Stream:
        """Open a stream of the events of `owner` from now on, or after the event with the id `after`.

        `wanted` chooses events; `gone` says whether the reader has left, and is asked when there is no room for another one; `peer`: its
        address and port.
        Raises GatewayError: streams-full, event-unknown for an `after` that is not (or no longer) archived; StorageError.
        """
        epoch = self._remote.listen()
        last, replay = self._begin(owner, after)
        stream = Stream(owner, replay, last, wanted, self._size, self._closed, peer)
        elsewhere = self.directory.count_elsewhere(owner)
        if elsewhere and self._full(owner, elsewhere):
            elsewhere = self._count_elsewhere_now(owner, elsewhere)
        with self._lock:
            if self._full(owner, elsewhere):
                self._drop_gone()
            if self._full(owner, elsewhere) or not self._waits.try_acquire():
                raise GatewayError("streams-full")
            # a copy: `publish` iterates over the old one without the lock
            self._open[owner] = {**self._open.get(owner, {}), stream: gone}
            self.count += 1
        if self._remote.listen() != epoch:
            stream.end(LEADER_CHANGED)
        self.directory.report()
        self._events.came_online.emit(owner)
        return stream

    def all(self) -> list[Stream]:
        """The streams that are open in this process."""
        return [stream for readers in tuple(self._open.values()) for stream in readers]

    def _described(self) -> list[OpenStream]:
        return [OpenStream(s.owner._replace(resource=s.resource), *s.peer, s.since) for s in self.all()]

    def end(self, jid: JID, reason: str) -> None:
        """End the stream of this full address, in any process; its place is free at once. Raises GatewayError."""
        self._remote.broadcast(END, jid=jid, reason=reason)

    def _end(self, jid: JID, reason: str) -> None:
        self.directory.remove(jid)
        for stream in tuple(self._open.get(jid.bare, ())):
            if stream.resource == jid.resource:
                stream.end(reason)
                self._closed(stream)

    def _count_elsewhere_now(self, owner: JID, before: int) -> int:
        """The owner's streams in other processes, after these have ended the streams of readers that left, or after DROP_TIMEOUT."""
        self._remote.tell_others(DROP_GONE)
        count, end = before, time.monotonic() + DROP_TIMEOUT
        while count >= before and time.monotonic() < end:
            time.sleep(DROP_TIMEOUT / 20)
            count = self.directory.count_elsewhere(owner)
        return count

    def _begin(self, owner: JID, after: str | None) -> tuple[str, ArchiveReplay | None]:
        """Read the archive before the stream is open, so that every live event is later than the ids that it refers to."""
        if after is None:
            return self._archive.last_id(owner), None
        last = archive_id(after)
        try:
            before = self._archive.page(owner, ArchiveFilter(before=last), MAX_LATE, newest=True).items if last else []
        except ItemNotFound as e:
            raise GatewayError("event-unknown") from e
        return last, ArchiveReplay(self._archive, owner, self.order(owner), [*(kept.id for kept in before), last])

    def _full(self, owner: JID, elsewhere: int) -> bool:
        own = len(self._open.get(owner, ())) + elsewhere
        return own >= self._per_owner or self.count >= self._total or self._waits.full

    def drop_gone(self) -> None:
        """End the streams whose readers have left."""
        with self._lock:
            gone = self._drop_gone()
        for stream in gone:
            self._is_gone(stream)

    def _drop_gone(self) -> list[Stream]:
        dropped = []
        for readers in list(self._open.values()):
            for stream, gone in readers.items():
                if gone():
                    stream.end("the reader has left")
                    self._remove(stream)
                    dropped.append(stream)
        return dropped

    def _closed(self, stream: Stream) -> None:
        with self._lock:
            removed = self._remove(stream)
        if removed:
            self._is_gone(stream)

    def _is_gone(self, stream: Stream) -> None:
        if not self._stopped:  # else the leader may be stopping too
            self.directory.report()
        self._events.stream_closed.emit(stream.owner._replace(resource=stream.resource))

    def _remove(self, stream: Stream) -> bool:
        readers = self._open.get(stream.owner, {})
        if stream not in readers:
            return False
        self.count -= 1
        self._waits.release()
        if others := {s: gone for s, gone in readers.items() if s is not stream}:
            self._open[stream.owner] = others
        else:
            del self._open[stream.owner]
        return True

    def restart(self, reason: str) -> None:
        """End the streams that are open, so that their readers come back and resume."""
        with self._lock:
            for readers in self._open.values():
                for stream in readers:
                    stream.end(reason)

    def stop(self) -> None:
        """End all streams, and let none begin: the process ends."""
        self._total, self._stopped = 0, True
        self.restart("the gateway stops")
