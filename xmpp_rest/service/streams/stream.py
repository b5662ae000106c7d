"""What does one reader of events get next? What it missed, out of the archive, and then what happens."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple
from xml.etree.ElementTree import Element

from drivers import ItemNotFound
from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.messages.archive import Archive, Kept, Wanted

PAGE = 100  # archived events that are read at a time
REPLAYED = 1000  # of them that are known when they are told of too
_UNKEPT = re.compile(r"(.*)~[0-9]+", re.DOTALL)


class Event(NamedTuple):
    """A stanza that reached an account, or that it `sent`. Nobody changes the stanza any more.

    `id`: the archive's; "" for what is not archived, until a stream gives it one.
    """

    id: str
    when: float  # Unix time, seconds
    stanza: Element
    sent: bool = False


class StreamEnded(Exception):
    """There is no further event on this stream; the sentence says why."""


def archive_id(event_id: str) -> str:
    """The archive id that an event's id holds: the event's own, or that of the last archived event before it ("": there was none)."""
    unkept = _UNKEPT.fullmatch(event_id)
    return unkept[1] if unkept else event_id


class Stream:
    """One reader's events, in order. Made by `Streams.open`; the reader calls `next` until it raises, and `close` in the end.

    An event that is not archived has the id `<archive id of the event before>~<number>`: to resume behind it is to resume behind that
    one, so nothing archived is missed. Such events themselves are live only.
    """

    def __init__(
        self, owner: JID, past: Past | None, last: str, wanted: Callable[[Event], bool], size: int, close: Callable[[Stream], None]
    ) -> None:
        """`past` is read behind the archive id `last` before anything that happens from now on; `size`: events that may wait."""
        self.owner = owner
        self.resource = f"stream-{secrets.token_hex(4)}"
        """By which commands name it."""
        self.since = time.time()
        self.peer: tuple[str, int] = ("", 0)
        """Address and port of the client, where they are known."""
        self._past = past
        self._last = last
        self._wanted = wanted
        self._size = size
        self._close = close
        self._unkept = 0  # events without an id of their own behind `last`
        self._behind = False  # something was archived since the past was looked at
        # ids of the last REPLAYED events that the reader has had out of the past, the latest last
        self._replayed = dict.fromkeys(past.before) if past else {}
        self._queue: deque[Event] = deque()
        self._end = ""
        self._changed = threading.Condition()

    def push(self, event: Event) -> None:
        """Something happened, and is archived already if it ever will be."""
        if not self._wanted(event):
            return
        with self._changed:
            if self._end or event.id in self._replayed:
                return
            if event.id and self._past:
                self._behind = True  # it will be read from there
            elif len(self._queue) >= self._size:
                self._end = f"the reader is too slow: {self._size} events wait for it"
            else:
                self._queue.append(event)
            self._changed.notify()

    def next(self, seconds: float) -> Event | None:
        """The next event; None if there was none for so long. Raises StreamEnded, StorageError."""
        while self._past:
            if event := self._from_past(self._past):
                return event
        return self._live(seconds)

    def end(self, reason: str) -> None:
        """Let the reader have what waits, and then StreamEnded."""
        with self._changed:
            self._end = self._end or reason
            self._changed.notify()

    def close(self) -> None:
        """The reader is gone; may be called again."""
        self.end("it was closed")
        self._close(self)

    def _from_past(self, past: Past) -> Event | None:
        if self._end:
            raise StreamEnded(self._end)
        for event in past:
            self._last = event.id
            if self._wanted(event):
                return event
        self._remember(past.read(self._last))
        if not past.rest:
            self._go_live(past)
        return None

    def _go_live(self, past: Past) -> None:
        """Leave the past, if nothing was archived since it was looked at."""
        with past.order:  # no thread of this process is between archiving and pushing
            self._behind = False
            ids = past.read(self._last)
            self._remember(ids)
            with self._changed:
                if not ids and not self._behind:
                    self._past = None

    def _remember(self, ids: Iterable[str]) -> None:
        """What was read may still be told: where another process archives, the telling comes later."""
        replayed = self._replayed | dict.fromkeys(ids)
        self._replayed = dict(islice(replayed.items(), max(0, len(replayed) - REPLAYED), None))

    def _live(self, seconds: float) -> Event | None:
        deadline = time.monotonic() + seconds
        with self._changed:
            while not self._queue:
                if self._end:
                    raise StreamEnded(self._end)
                if not self._changed.wait(deadline - time.monotonic()):
                    return None
            return self._identified(self._queue.popleft())

    def _identified(self, event: Event) -> Event:
        if event.id:
            self._last, self._unkept = event.id, 0
            return event
        self._unkept += 1
        return event._replace(id=f"{self._last}~{self._unkept}")


class Past:
    """What is archived for one owner, a page at a time."""

    def __init__(self, archive: Archive, owner: JID, order: threading.Lock, before: Iterable[str] = ()) -> None:
        self.before = before  # ids of what the reader has seen: of these too, the telling may come later
        self.order = order  # is held while something is archived for the owner and pushed
        self.rest: deque[Event] = deque()  # of the page
        self._archive = archive
        self._owner = owner

    def __iter__(self) -> Iterator[Event]:
        while self.rest:
            yield self.rest.popleft()

    def read(self, last: str) -> list[str]:
        """Read the page behind the item `last`; the ids of what is there. Raises StreamEnded, StorageError."""
        try:
            page = self._archive.page(self._owner, Wanted(after=last or None), PAGE)
        except ItemNotFound:
            raise StreamEnded("the messages after the last event have been removed") from None
        self.rest = deque(_event(self._owner, kept) for kept in page.items)
        return [event.id for event in self.rest]


def _event(owner: JID, kept: Kept) -> Event:
    sender, to = jid_or_none(kept.stanza.get("from")), jid_or_none(kept.stanza.get("to"))
    sent = sender is not None and sender.bare == owner and to is not None and to.bare != owner
    return Event(kept.id, kept.when, kept.stanza, sent)
