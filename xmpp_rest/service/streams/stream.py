"""An event stream: the events of one reader, first the missed ones from the archive, then the live ones."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol, TypeVar
from xml.etree.ElementTree import Element

from drivers import ItemNotFound
from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.parse import parse_stored
from xmpp_rest.service.messages.archive import ArchivedMessage
from xmpp_rest.service.streams.directory import OpenStream
from xmpp_rest.service.streams.timeline import AccountTimeline, HeardId
from xmpp_rest.threads.tasks import OrderLock

T = TypeVar("T")
PAGE = 100  # archived events that are read at a time
REPLAYED = 1000  # ids of replayed events that are remembered, to drop them when they are pushed
_UNKEPT = re.compile(r"(.*)~[0-9]+", re.DOTALL)


HEARD, OWN, MEMBERSHIP = "heard", "own", "membership"
"""What an event says of a room on another server: somebody's message, the account's own as the room shows it, a membership's state."""


@dataclass(frozen=True, slots=True)
class Event:
    """A stanza that reached an account, or that it `sent`. The stanza must not be changed.

    `id`: that of the archive; "" if it is not archived, until a stream assigns one. `room`: one of the three above, of a room that the
    account is in by the gateway; else "".
    """

    id: str
    when: float  # Unix time, seconds
    stanza: Element
    sent: bool = False
    room: str = ""
    _texts: dict[Hashable, Any] = field(default_factory=dict, repr=False, compare=False)  # what `text` has made

    def text(self, form: Hashable, make: Callable[[Event], T]) -> T:
        """What `make` makes of the event in this form: once for all readers who see it with the same id."""
        key = form, self.id
        if key not in self._texts:
            self._texts[key] = make(self)
        text: T = self._texts[key]
        return text

    def identified(self, identifier: str) -> Event:
        """The same event by this id."""
        return Event(identifier, self.when, self.stanza, self.sent, self.room, self._texts)

    def to_json(self) -> list[Any]:
        """The JSON form for other processes."""
        return [self.id, self.when, serialise(self.stanza), self.sent, self.room]

    @classmethod
    def from_json(cls, values: list[Any]) -> Event:
        """The event in the JSON form of another process."""
        identifier, when, stanza, sent, room = values
        return cls(identifier, when, parse_stored(stanza), sent, room)


class StreamEnded(Exception):
    """There is no further event on this stream; the sentence says why."""

    def __init__(self, sentence: str, retry: float = 0.0) -> None:
        """`retry`: seconds after which the reader is to come back, 0: as it likes."""
        super().__init__(sentence)
        self.retry = retry


class StreamRegistry(Protocol):
    """What a stream is registered with; `Streams` is one."""

    def close_stream(self, stream: Stream) -> None: ...
    def close_soon(self, stream: Stream) -> None: ...
    def fail(self, stream: Stream, error: Exception) -> None: ...


def archive_id(event_id: str) -> str:
    """The archive id in an event's id: the event's own, or that of the last archived event before it ("" if there was none)."""
    unkept = _UNKEPT.fullmatch(event_id)
    return unkept[1] if unkept else event_id


class Stream:
    """One reader's events, in order. Made by `Streams.open`.

    The reader waits in `next` until that raises; or it has a listener called, and takes what there is. It calls `close` in the end.

    An event that is not archived has the id `<archive id of the event before>~<number>`: a reader that resumes after it resumes after that
    one, so it misses no archived event. Events that are not archived cannot be replayed.
    """

    def __init__(
        self,
        owner: JID,
        replay: ArchiveReplay | None,
        last: str,
        wanted: Callable[[Event], bool],
        size: int,
        registry: StreamRegistry,
        peer: tuple[str, int],
    ) -> None:
        """`replay` is read after the archive id `last`, before live events; `size`: events that may wait; `peer`: the client's address."""
        self.owner = owner
        self.resource = f"stream-{secrets.token_hex(4)}"
        """Its name in commands."""
        self.described = OpenStream(owner._replace(resource=self.resource), *peer, time.time())
        """What all processes know of it."""
        self._replay = replay
        self._last = last
        self._wanted = wanted
        self._size = size
        self._registry = registry
        self._unkept = 0  # events without an id of their own after `last`
        self._dirty = False  # something was archived since the archive was last read
        # ids of the last REPLAYED events from the archive, the latest last
        self._replayed = dict.fromkeys(replay.before) if replay else {}
        self._queue: deque[Event] = deque()
        self._end = ""
        self._retry = 0.0
        self.ended_as = "closed"
        """In what way it has ended, by the names in metrics: closed, slow, credentials or stopping."""
        self._lock = threading.Lock()  # guards the two above, and when the replay is over
        self._readable: threading.Condition | None = None  # of a reader that waits
        self._listener: Callable[[], None] | None = None

    @property
    def replays(self) -> bool:
        """Whether events come from the archive, so that `take` reads the storage."""
        return self._replay is not None

    @property
    def ended(self) -> bool:
        """Whether no further event is queued."""
        return bool(self._end)

    def listen(self, listener: Callable[[], None]) -> None:
        """Have `listener` called whenever there is something to take, by who publishes: it must not wait. If it fails, the stream ends."""
        self._listener = listener

    def push(self, event: Event) -> None:
        """Queue an event, which is archived already unless it never will be."""
        if not self._wanted(event):
            return
        with self._lock:
            if self._end or event.id in self._replayed:
                return
            if event.id and self._replay:
                self._dirty = True  # it will be read from the archive
            elif len(self._queue) >= self._size:
                self._end, self.ended_as = f"the reader is too slow: {self._size} events wait for it", "slow"
            else:
                self._queue.append(event)
        self._tell()

    def _tell(self) -> None:
        if (readable := self._readable) is not None:
            with self._lock:
                readable.notify()
        if (listener := self._listener) is not None:
            try:
                listener()
            except Exception as e:
                self._listener = None
                self._registry.fail(self, e)

    def next(self, seconds: float) -> Event | None:
        """The next event; None if there was none in this time. Raises StreamEnded, StorageError."""
        deadline = time.monotonic() + seconds
        while (event := self.take()) is None:
            if self.replays:
                continue
            with self._lock:
                readable = self._readable = self._readable or threading.Condition(self._lock)
                if not self._queue and not self._end and not readable.wait(deadline - time.monotonic()):
                    return None
        return event

    def take(self) -> Event | None:
        """The next event, if there is one now; while it `replays`, one of the page of the archive that was read last.

        Raises StreamEnded, StorageError.
        """
        if self._replay:
            event = self._replayed_event(self._replay)
            if event or self._replay:
                return event
        with self._lock:
            if self._queue:
                return self._identified(self._queue.popleft())
            if self._end:
                raise StreamEnded(self._end, self._retry)
        return None

    def end(self, reason: str, *, at_once: bool = False, ended_as: str = "closed", retry: float = 0.0) -> None:
        """End the stream: the reader gets the waiting events, unless `at_once`, then StreamEnded. The first reason counts.

        `retry`: seconds after which the reader is to come back, 0: as it likes.
        """
        with self._lock:
            if not self._end:
                self._end, self.ended_as, self._retry = reason, ended_as, retry
            if at_once:
                self._queue.clear()
        self._tell()

    def close(self) -> None:
        """Close the stream, as the reader has gone; may be called again."""
        self.end("it was closed")
        self._registry.close_stream(self)

    def close_soon(self) -> None:
        """As `close`, for a thread that must not wait."""
        self.end("it was closed")
        self._registry.close_soon(self)

    def _replayed_event(self, replay: ArchiveReplay) -> Event | None:
        if self._end:
            raise StreamEnded(self._end, self._retry)
        for event in replay:
            self._last = event.id
            if self._wanted(event):
                return event
        self._remember(replay.read(self._last))
        if not replay.rest:
            self._go_live(replay)
        return None

    def _go_live(self, replay: ArchiveReplay) -> None:
        """Switch to live events, if nothing was archived since the archive was last read."""
        with replay.order:  # no thread of this process is between archiving and pushing
            self._dirty = False
            ids = replay.read(self._last)
            self._remember(ids)
            with self._lock:
                if not ids and not self._dirty:
                    self._replay = None

    def _remember(self, ids: Iterable[str]) -> None:
        """Remember ids: events that another process archived may be pushed after they were read."""
        replayed = self._replayed | dict.fromkeys(ids)
        self._replayed = dict(islice(replayed.items(), max(0, len(replayed) - REPLAYED), None))

    def _identified(self, event: Event) -> Event:
        if event.id:
            self._last, self._unkept = event.id, 0
            return event
        self._unkept += 1
        return event.identified(f"{self._last}~{self._unkept}")


class ArchiveReplay:
    """Reads the archived events of one owner, a page at a time."""

    def __init__(self, timeline: AccountTimeline, owner: JID, order: OrderLock, before: Iterable[str] = ()) -> None:
        self.before = before  # ids of events that the reader has seen, which may still be pushed
        self.order = order  # held while something is archived for the owner and pushed
        self.rest: deque[Event] = deque()  # of the page
        self._timeline = timeline
        self._owner = owner

    def __iter__(self) -> Iterator[Event]:
        while self.rest:
            yield self.rest.popleft()

    def read(self, last: str) -> list[str]:
        """Read the page after the item `last`; the ids of its events. Raises StreamEnded, StorageError."""
        try:
            items = self._timeline.after(self._owner, last, PAGE)
        except ItemNotFound:
            raise StreamEnded("the messages after the last event have been removed") from None
        self.rest = deque(_event(self._owner, kept) for kept in items)
        return [event.id for event in self.rest]


def _event(owner: JID, kept: ArchivedMessage) -> Event:
    if heard := HeardId.read(kept.id):
        return Event(kept.id, kept.when, kept.stanza, room=OWN if heard.is_own else HEARD)
    sender, to = jid_or_none(kept.stanza.get("from")), jid_or_none(kept.stanza.get("to"))
    sent = sender is not None and sender.bare == owner and to is not None and to.bare != owner
    return Event(kept.id, kept.when, kept.stanza, sent)
