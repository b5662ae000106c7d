"""The registry of the event streams of this process: opens them, and publishes events to them in all processes."""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from drivers import BadValue, ItemNotFound
from xmpp_rest.config.table import StreamSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.events import Events
from xmpp_rest.incidents import Incidents
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.service.streams.admissions import Admissions
from xmpp_rest.service.streams.directory import Directory
from xmpp_rest.service.streams.open_streams import OpenStreams, Reader
from xmpp_rest.service.streams.stream import ArchiveReplay, Event, Stream, StreamEnded, archive_id
from xmpp_rest.service.streams.timeline import AccountTimeline
from xmpp_rest.threads.backlog import Backlog
from xmpp_rest.threads.pool import CompletingPool
from xmpp_rest.threads.stripes import Stripes
from xmpp_rest.threads.tasks import OrderLock, pause
from xmpp_rest.threads.timers import Timers
from xmpp_rest.threads.waits import Waits, there

log = logging.getLogger("xmpp_rest.streams")

__all__ = ["Event", "Reader", "Stream", "StreamEnded", "Streams"]

STRIPES = 256
THREADS = 4  # that read archives for streams which resume, report closed streams, and look at credentials
MAX_LATE = 50  # events before the one after which a reader resumes that may not have reached this process yet
EARLIEST, LATEST = 1.0, 5.0  # seconds after which readers come back where many machines are one gateway (many-machines §10)
DROP_TIMEOUT = 0.2  # seconds that other processes get to end the streams of readers that have left
EVENT, DROP_GONE, END = "event", "drop gone streams", "end stream"  # what is published, and broadcasts
LEADER_CHANGED = "another process leads now: resume"  # events in between are in the archive


def everything(_: Event) -> bool:
    return True


def at_once() -> float:
    return 0.0


def drawn() -> float:
    """Seconds between EARLIEST and LATEST, another number for each reader: so not all of them come back in the same moment."""
    return random.uniform(EARLIEST, LATEST)  # noqa: S311  # nobody gains by knowing it


class Streams:
    """Publishes events to the streams of their owner, in all processes. Independent of HTTP.

    `stop()` ends all streams, and `close()` the threads, which begin with the first stream that needs one.
    """

    def __init__(
        self, timeline: AccountTimeline, bounds: StreamSettings, waits: Waits, remote: Remote, events: Events, counts: Counts,
        incidents: Incidents | None = None, return_after: Callable[[], float] = at_once,
    ) -> None:  # fmt: skip
        """`waits`: counts the streams whose readers hold a thread.

        `return_after`: draws the seconds after which the reader of a stream that is ended for all is to come back.
        """
        self._timeline = timeline
        self._size = bounds.queue_size
        self._incidents = incidents or Incidents()
        self._return_after = return_after
        self._events = events
        self._orders = Stripes(STRIPES)
        self._stopped = False
        self.timers = Timers("streams")
        """For heartbeats, and whatever else streams do at a time."""
        self.pool = CompletingPool(THREADS, "streams")
        """For what streams without a thread have to wait for, such as the storage."""
        self.admissions = Admissions(self.timers, self.pool)
        """Ends the streams of readers who are not admitted any more."""
        self._left: Backlog[Stream] = Backlog(self.pool, self._have_left)
        self.directory = Directory(remote)
        """The streams of all processes."""
        self._open = OpenStreams(bounds, waits, counts, self.directory.mine)
        self._remote = remote
        remote.offer(self)
        remote.on_role(self._leader_changed)
        remote.on_published(EVENT, self._hear_published)
        remote.on_broadcast(DROP_GONE, self.drop_gone)
        remote.on_broadcast(END, self._end)

    def order(self, owner: JID) -> OrderLock:
        """The lock to hold while a stanza is archived for `owner` and published, so that streams have the order of the archive."""
        return self._orders.of(owner)

    def orders(self, owners: Iterable[JID]) -> AbstractContextManager[None]:
        """Hold the `order` of all of these."""
        return self._orders.holding(owners)

    def publish(self, owner: JID, event: Event) -> None:
        """Publish a stanza that reached `owner`, or was sent by it; with an id, it is archived already. Raises nothing."""
        try:
            self._publish(owner, event)
        except Exception as e:
            self._incidents.report(log, "stream-untold", "the open streams of %s are not told of an event: %r", owner, e)

    @on_leader
    def _publish(self, owner: JID, event: Event) -> None:
        self.hear(owner, event)
        group = self._remote.group
        if group.has_listeners:
            audience = self.directory.processes_of(owner) if group.spans_nodes else None  # each node costs a transaction
            self._remote.publish(EVENT, audience, owner=str(owner), event=event.to_json())

    def _hear_published(self, owner: str, event: list[Any]) -> None:
        jid = parse_jid(owner)
        if self.is_open(jid):  # usually nobody listens: then nothing is parsed
            self.hear(jid, Event.from_json(event))

    def _leader_changed(self, leads: bool) -> None:
        if not leads or self._remote.group.spans_nodes:  # the node before may have archived what nobody here was told of
            self.restart(LEADER_CHANGED)

    @property
    def count(self) -> int:
        """The number of open streams in this process."""
        return self._open.count

    def is_open(self, owner: JID) -> bool:
        """Whether anybody listens to `owner` in this process."""
        return owner in self._open

    def of(self, owner: JID) -> list[Stream]:
        """The streams of `owner` in this process."""
        return self._open.of(owner)

    def hear(self, owner: JID, event: Event) -> None:
        """Push an event to the streams of `owner` in this process."""
        for stream in self._open.of(owner):
            stream.push(event)

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
        is_session: bool = True,
    ) -> Stream:
        """Open a stream of the events of `owner` from now on, or after the event with the id `after`.

        `wanted` chooses events; `gone` says whether the reader has left, and is asked when there is no room for another one; `peer`: its
        address and port; `holds_thread`: whether it waits in a thread for events; `api`: by which it is read, for metrics;
        `is_session`: whether the owner is an account, which is online by it.
        Raises GatewayError: streams-full, event-unknown for an `after` that is not (or no longer) archived; StorageError.
        """
        epoch = self.listen()
        last, replay = self._begin(owner, after)
        stream = Stream(owner, replay, last, wanted, self._size, self, peer)
        self.put(stream, Reader(gone, holds_thread, api), epoch)
        if is_session:
            self._events.came_online.emit(owner)
        return stream

    def listen(self) -> int:
        """Hear what the leader publishes; the epoch in which that holds, for `put`. Raises GatewayError."""
        return self._remote.listen()

    def put(self, stream: Stream, reader: Reader, epoch: int) -> None:
        """Have a stream hear what is published from now on. `epoch`: what `listen` said before. Raises GatewayError."""
        self._add(stream, reader)
        try:
            self._report(stream)
        except BaseException:
            self._withdraw(stream)
            raise
        if self.listen() != epoch:
            stream.end(LEADER_CHANGED)

    def _add(self, stream: Stream, reader: Reader) -> None:
        """Add a stream to those of this process. Raises GatewayError, streams-full."""
        added, left = self._open.add(stream, reader)
        self._end_gone(left)
        if not added:
            raise GatewayError("streams-full")

    def _report(self, stream: Stream) -> None:
        """Report a stream that is open here to the leader. Raises GatewayError; streams-full, if other processes have too many."""
        owner = stream.owner
        elsewhere = self.directory.opened(stream.described)
        if elsewhere and self._has_too_many(owner, elsewhere):
            self._drop_gone(owner)
            if self._has_too_many(owner, elsewhere) and self._has_too_many(owner, self._count_elsewhere_now(owner, elsewhere)):
                raise GatewayError("streams-full")
        if not self._open.has(stream):  # it was ended meanwhile, and may have been reported as closed before it was as open
            self.directory.closed([stream.described])

    def _has_too_many(self, owner: JID, elsewhere: int) -> bool:
        return self._open.count_of(owner) + elsewhere > self._open.per_owner

    def _withdraw(self, stream: Stream) -> None:
        """Remove a stream that nobody has read."""
        self._open.remove(stream)
        self.directory.closed([stream.described])

    def count_by_api(self) -> Counter[str]:
        """How many are open in this process, by API."""
        return self._open.count_by_api()

    def all(self) -> list[Stream]:
        """The streams that are open in this process."""
        return self._open.all()

    def end(self, jid: JID, reason: str) -> None:
        """End the stream of this full address, in any process; its place is free at once. Raises GatewayError."""
        self._remote.broadcast(END, jid=jid, reason=reason)

    def _end(self, jid: JID, reason: str) -> None:
        self.directory.remove(jid)
        for stream in self._open.of(jid.bare):
            if stream.resource == jid.resource:
                stream.end(reason)
                self.close_stream(stream)

    def _count_elsewhere_now(self, owner: JID, before: int) -> int:
        """The owner's streams in other processes, after these have ended the streams of readers that left, or after DROP_TIMEOUT."""
        self._remote.tell_others(DROP_GONE)
        count, end = before, time.monotonic() + DROP_TIMEOUT
        while count >= before and time.monotonic() < end:
            pause(DROP_TIMEOUT / 20)
            count = self.directory.count_elsewhere(owner)
        return count

    def last_id(self, owner: JID) -> str:
        """The id of the last event that can be resumed after; "" if there is none. Raises StorageError."""
        return self._timeline.last_id(owner)

    def _begin(self, owner: JID, after: str | None) -> tuple[str, ArchiveReplay | None]:
        """Read the archive before the stream is open, so that every live event is later than the ids that it refers to."""
        if after is None:
            return self._timeline.last_id(owner), None
        last = archive_id(after)
        try:
            before = self._timeline.before(owner, last, MAX_LATE) if last else []
        except (ItemNotFound, BadValue) as e:  # an impossible id is an unknown one
            raise GatewayError("event-unknown") from e
        return last, ArchiveReplay(self._timeline, owner, self.order(owner), [*before, last])

    def drop_gone(self) -> None:
        """End the streams whose readers have left."""
        self._drop_gone(None)

    def _drop_gone(self, owner: JID | None) -> None:
        self._end_gone(self._open.remove_gone(owner))

    def _end_gone(self, left: Sequence[Stream]) -> None:
        for stream in left:
            stream.end("the reader has left")
        if left:
            self._have_left(left)

    def close_stream(self, stream: Stream) -> None:
        """The reader of this stream has gone, or it is over; may be called again."""
        if self._open.remove(stream):
            self._have_left([stream])

    def close_soon(self, stream: Stream) -> None:
        """As `close_stream`, for a thread that must not wait: the place is free at once, and others hear of it later."""
        if self._open.remove(stream):
            self._left.put(stream)

    def fail(self, stream: Stream, error: Exception) -> None:
        """End a stream whose listener fails: the others have their events."""
        self._incidents.report(log, "stream-failed", "an event stream of %s ends, as it fails: %r", stream.owner, error, trace=True)
        stream.end("the stream failed")
        self.close_soon(stream)

    def _have_left(self, streams: Sequence[Stream]) -> None:
        if not self._stopped:  # else the leader may be stopping too
            self.directory.closed([stream.described for stream in streams])
        for stream in streams:
            self._events.stream_closed.emit(stream.described.jid)

    def restart(self, reason: str) -> None:
        """End the streams that are open, so that their readers come back and resume."""
        for stream in self._open.all_now():
            stream.end(reason, ended_as="stopping", retry=self._return_after())

    def stop(self) -> None:
        """End all streams, and let none begin: the process ends."""
        self._stopped = True
        self._open.add_no_more()
        self.restart("the gateway stops")

    def close(self) -> None:
        """End the threads; called by the owner, last."""
        self.timers.stop()
        self.pool.stop()
