"""Who listens, and who hears what? The event streams that are open in this process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

from drivers import ItemNotFound
from xmpp_rest.config.table import Streams as Bounds
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.messages.archive import Archive, ArchiveFilter
from xmpp_rest.service.streams.stream import ArchiveReplay, Event, Stream, StreamEnded, archive_id
from xmpp_rest.threads.waits import Waits

log = logging.getLogger(__name__)

__all__ = ["Event", "Stream", "StreamEnded", "Streams"]

STRIPES = 256
LATE = 50  # events before the one that a reader resumes behind that may still have to reach this process
MOVED = "another process owns the link now: resume"  # what was told meanwhile is in the archive


def everything(_: Event) -> bool:
    return True


def _nobody_minds(stream: Stream) -> None:
    """Nobody wants to know which streams there are."""


class Streams:
    """Hands events to the streams of their owner. Knows nothing of HTTP, and holds no thread of its own; `stop()` ends all streams.

    `publish` may be called for what another process has archived too: then the readers here get it.
    """

    def __init__(self, archive: Archive, bounds: Bounds, waits: Waits, incidents: Incidents | None = None) -> None:
        """`waits`: each stream waits for what happens, and holds a thread meanwhile."""
        self._archive = archive
        self._size = bounds.queue_size
        self._total = bounds.total
        self._waits = waits
        self._incidents = incidents or Incidents()
        self._per_owner = bounds.per_account
        self._open: dict[JID, dict[Stream, Callable[[], bool]]] = {}
        self.count = 0
        """How many streams are open."""
        self._lock = threading.Lock()
        self.opened: Callable[[Stream], None] = _nobody_minds
        """Called when a stream has been opened."""
        self.closed: Callable[[Stream], None] = _nobody_minds
        """Called when a stream is not there any more."""
        self.elsewhere: Callable[[JID], int] = lambda _owner: 0
        """How many streams the owner has in other processes."""
        self.elsewhere_now: Callable[[JID], int] = lambda _owner: 0
        """The same, once the other processes have looked who has left."""
        self.joining: Callable[[], int] = lambda: 0
        """Called before a stream is opened, and behind it: this process hears of everything as long as the number is the same."""
        self.relay: Callable[[JID, Event], None] | None = None
        """Publishes in all processes, where there are several."""
        self._orders = [threading.Lock() for _ in range(STRIPES)]

    def order(self, owner: JID) -> threading.Lock:
        """Hold it while something is archived for `owner` and published, so that streams have the order of the archive."""
        return self._orders[hash(owner) % STRIPES]

    @contextmanager
    def orders(self, owners: Iterable[JID]) -> Iterator[None]:
        """Hold the `order` of all of these."""
        with ExitStack() as held:
            for stripe in sorted({hash(owner) % STRIPES for owner in owners}):
                held.enter_context(self._orders[stripe])
            yield

    def publish(self, owner: JID, event: Event) -> None:
        """Something reached `owner`, or was sent by it; with an id, it is archived already. Raises nothing: it has happened."""
        try:
            (self.relay or self.hear)(owner, event)
        except Exception as e:
            self._incidents.report(log, "stream-untold", "the open streams of %s are not told of an event: %r", owner, e)

    def is_open(self, owner: JID) -> bool:
        """Whether anybody listens to `owner` in this process."""
        return owner in self._open

    def hear(self, owner: JID, event: Event) -> None:
        """Hand an event to who listens in this process."""
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
        """A stream of what happens to `owner` from now on, or behind the event whose id is `after`.

        `wanted` chooses events; `gone` says whether the reader has left, and is asked when there is no room for another one; `peer`: its
        address and port.
        Raises GatewayError: streams-full, event-unknown for an `after` that is not (or no longer) archived; StorageError.
        """
        joined = self.joining()
        last, replay = self._begin(owner, after)
        stream = Stream(owner, replay, last, wanted, self._size, self._closed)
        stream.peer = peer
        elsewhere = self.elsewhere(owner)
        if elsewhere and self._full(owner, elsewhere):
            elsewhere = self.elsewhere_now(owner)
        with self._lock:
            if self._full(owner, elsewhere):
                self._drop_gone()
            if self._full(owner, elsewhere) or not self._waits.take():
                raise GatewayError("streams-full")
            # a copy: `publish` walks through the old one without the lock
            self._open[owner] = {**self._open.get(owner, {}), stream: gone}
            self.count += 1
        if self.joining() != joined:
            stream.end(MOVED)
        self.opened(stream)
        return stream

    def all(self) -> list[Stream]:
        """The streams that are open in this process."""
        return [stream for readers in tuple(self._open.values()) for stream in readers]

    def end(self, owner: JID, resource: str, reason: str) -> None:
        """End the stream of this resource, if there is one; its place is free at once."""
        for stream in tuple(self._open.get(owner, ())):
            if stream.resource == resource:
                stream.end(reason)
                self._closed(stream)

    def _begin(self, owner: JID, after: str | None) -> tuple[str, ArchiveReplay | None]:
        """Read before the stream is open, so that every event of the stream is behind what its ids refer to."""
        if after is None:
            return self._archive.last_id(owner), None
        last = archive_id(after)
        try:
            before = self._archive.page(owner, ArchiveFilter(before=last), LATE, newest=True).items if last else []
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
            self.closed(stream)

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
            self.closed(stream)

    def _remove(self, stream: Stream) -> bool:
        readers = self._open.get(stream.owner, {})
        if stream not in readers:
            return False
        self.count -= 1
        self._waits.give_back()
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
        self._total = 0
        self.restart("the gateway stops")
