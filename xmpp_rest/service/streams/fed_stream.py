"""An event stream whose missed events are brought to it, page by page, from an archive elsewhere: no thread waits for that archive."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple

from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.weight import weight
from xmpp_rest.service.streams.stream import REPLAYED, Event, Stream, StreamRegistry
from xmpp_rest.service.streams.told_once import ToldOnce

MOST_BYTES = 8 << 20  # of events that wait for one reader


class StreamPlace(NamedTuple):
    """Where a stream begins: after the event `last` of the archive ("": it is empty); or there is no archive."""

    last: str
    has_archive: bool


class EventsPage(NamedTuple):
    """Events of an archive, in its order. `last`: the id that the next page comes after; `complete`: there is no next page.

    `told`: what comes before them, which the reader knows.
    """

    events: Sequence[Event]
    last: str
    complete: bool
    told: Sequence[Event] = ()


class _Phase(Enum):
    UNPLACED = "unplaced"  # it is not known yet after which event it begins
    BEHIND = "behind"  # pages of the archive are told
    LIVE = "live"


class FedStream(Stream):
    """As Stream, with another way to what was missed; events without an id of the archive have none.

    Events that are published before the pages are read wait; those that a page has as well are told once.
    """

    def __init__(
        self,
        owner: JID,
        wanted: Callable[[Event], bool],
        size: int,
        registry: StreamRegistry,
        peer: tuple[str, int],
        ask: Callable[[FedStream, str], None],
    ) -> None:
        """`ask`: have the page after this id brought. It does not wait, and may be called by any thread."""
        super().__init__(owner, None, "", wanted, size, registry, peer)
        self._ask = ask
        self._told = ToldOnce(owner, REPLAYED)
        self._phase = _Phase.UNPLACED
        self._held: deque[Event] = deque()  # published before it is live
        self._bytes = 0  # of what waits
        self._has_dropped = False  # whether there was no room for some of these, which the archive has
        self._next_after = ""  # the id that the next page comes after
        self._is_asked = False  # whether that page was asked for

    def begin(self, place: StreamPlace, *, resumes: bool) -> None:
        """Begin after this place: `resumes`: with what the archive has after it; else with what was published meanwhile."""
        with self._lock:
            self._last = self._next_after = place.last
            self._phase = _Phase.BEHIND
            if not place.has_archive or not (resumes or self._has_dropped):
                self._go_on_live()
        self._tell()

    def push(self, event: Event) -> None:
        if not self._wanted(event):
            return
        with self._lock:
            if self._end:
                return
            is_live = self._phase is _Phase.LIVE
            queue = self._queue if is_live else self._held
            if len(queue) >= self._size or self._bytes > MOST_BYTES:
                if is_live or not event.id:
                    self._end, self.ended_as = f"the reader is too slow: {len(queue)} events wait for it", "slow"
                else:
                    self._has_dropped = True
            elif not is_live or self._told.is_new(event):
                queue.append(event)
                self._bytes += _size_of(event)
        self._tell()

    def take(self) -> Event | None:
        event = super().take()
        if event is None:
            self._ask_if_behind()
        return event

    def bring(self, page: EventsPage) -> None:
        """Take the page that was asked for."""
        wanted = [event for event in page.events if self._wanted(event)]
        with self._lock:
            if self._phase is not _Phase.BEHIND or not self._is_asked:
                return
            self._is_asked = False
            self._next_after = page.last or self._next_after
            for event in page.told:
                self._told.is_new(event)
            ids = {event.id for event in wanted if event.id}
            self._held = deque(event for event in self._held if event.id not in ids)
            self._queue.extend(event for event in wanted if self._told.is_new(event))
            self._weigh()
            if page.complete and not self._has_dropped:
                self._go_on_live()
        self._tell()

    def _ask_if_behind(self) -> None:
        with self._lock:
            due = self._phase is _Phase.BEHIND and not self._is_asked and not self._queue and not self._end
            if due:
                self._is_asked, self._has_dropped = True, False
            after = self._next_after
        if due:
            self._ask(self, after)

    def _go_on_live(self) -> None:
        self._phase = _Phase.LIVE
        self._queue.extend(event for event in self._held if self._told.is_new(event))
        self._held.clear()
        self._weigh()

    def _weigh(self) -> None:
        self._bytes = sum(_size_of(event) for waiting in (self._queue, self._held) for event in waiting)

    def _identified(self, event: Event) -> Event:
        self._last = event.id or self._last
        self._bytes -= _size_of(event)
        return event


def _size_of(event: Event) -> int:
    """About the bytes that it takes; reckoned once for all readers."""
    return event.text("size", lambda it: weight(it.stanza))
