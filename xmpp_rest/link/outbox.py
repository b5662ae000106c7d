"""The stanzas that wait for one stream, and which of them the server has processed (XEP-0114 has no acknowledgements).

A stanza is *accepted* (in the journal, waiting), *written* (given to the kernel), and *confirmed* once an iq that the component sent to
itself after it has come back: the server has processed it. It is *settled* with the second such iq, for a server that has routed a message
keeps it in memory until it next looks at the recipient's socket. What was not settled when a stream ends goes out first on the next one,
with the same id and in the same order: at least once, in order. An iq is worth nothing later and is dropped instead.

What is *bound to a stream* is kept, and sent again, by who put it: it is in no journal here, and is dropped with its stream.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any, NamedTuple

from xmpp_rest.link.errors import OtherStream, OutboxFull, ShareFull
from xmpp_rest.link.journal import NotedEntry
from xmpp_rest.link.journals import JournalPort, LateEntry
from xmpp_rest.link.stanza_names import id_in, sender_in
from xmpp_rest.logs.events import say

log = logging.getLogger("xmpp_rest.link")

BURST = 256  # most stanzas written with one system call


class Progress(Enum):
    """How far a stanza has got."""

    ACCEPTED = "accepted"
    WRITTEN = "written"
    CONFIRMED = "confirmed"


class Label(NamedTuple):
    """The name of a stanza in questions about its outcome."""

    sender: str  # bare JID
    id: str


class Entry(NamedTuple):
    """One stanza on its way. `number` and `note` are the journal's; 0 for what is not kept."""

    data: bytes
    label: Label | None
    number: int = 0
    lasting: bool = True
    sender: str = ""  # the account (bare JID) whose share of the outbox it uses; "": none
    note: Any = None
    since: float = 0.0  # Unix time
    request_id: str = ""  # of the request that sent it; "": of none
    bound: bool = False  # to the stream for which it was put


OnProgress = Callable[[Iterable[Entry], Progress], None]


class Outbox:
    """First in, first out. Filled by any thread, emptied by the one that writes. At most `size` stanzas wait, or are not confirmed.

    At most `share` of these are of one sender, so that none fills it for all; 0: no such bound.
    """

    def __init__(
        self,
        size: int,
        journal: JournalPort | None = None,
        on_progress: OnProgress | None = None,
        share: int = 0,
        *,
        tells_left: bool = False,
    ) -> None:
        """`tells_left`: whether the progress of what an earlier process left is told too, as others ask for its outcome."""
        self._size = size
        self._share = share or size
        self._held: Counter[str] = Counter()  # how many stanzas of each sender count
        self._journal = journal
        self._tells_left = tells_left
        self._on_progress = on_progress or (lambda _entries, _progress: None)
        self._waiting: deque[Entry] = deque()
        self._unconfirmed: deque[Entry] = deque()  # taken by the stream, oldest first
        self._unsettled: list[Entry] = []  # confirmed once, oldest first; older than what is not confirmed
        self._streams = 0  # that have begun
        self._taken = 0  # entries taken on this stream
        self._confirmed = 0  # of them, known to be processed
        self._lock = threading.Lock()
        self._flush: Callable[[], None] | None = None
        if journal is not None:
            journal.on_late(self._add_late)
            self._waiting.extend(self._left(text, number, journal.request_id(number)) for number, text in journal.unacknowledged())
            self._on_progress(self._waiting, Progress.ACCEPTED)
        self._hold(self._waiting)
        self._restored = frozenset(e.data for e in self._waiting)

    def __len__(self) -> int:
        return len(self._waiting) + len(self._unconfirmed) + len(self._unsettled)

    def _left(self, text: str, number: int, request_id: str) -> Entry:
        """A stanza in the journal that nobody here has put."""
        data = text.encode()
        sender = sender_in(data)
        label = Label(sender, id_in(data)) if self._tells_left else None
        return Entry(data, label, number, sender=account_of(sender), since=time.time(), request_id=request_id)

    def _add_late(self, late: Sequence[LateEntry]) -> None:
        """What is in the journal is sent, though who put it was told of a failure."""
        entries = [self._left(entry.text, entry.number, entry.request_id) for entry in late]
        with self._lock:
            self._hold(entries)
            self._waiting.extend(entries)
        if flush := self._flush:
            flush()

    def restored(self, text: str) -> bool:
        """Whether an earlier process accepted this stanza."""
        return bool(self._restored) and text.encode() in self._restored

    @property
    def oldest(self) -> float | None:
        """Since when the oldest stanza has been waiting (Unix time), for all that this process knows; None if none does."""
        with self._lock:
            first = next(iter(self._unsettled or self._unconfirmed or self._waiting), None)
        return first.since if first else None

    @property
    def waits(self) -> bool:
        """Whether there is anything to take."""
        return bool(self._waiting)

    def attach(self, flush: Callable[[], None] | None) -> None:
        """Call `flush` whenever there is something new to write; None while no stream is up."""
        self._flush = flush

    def put(self, entries: Sequence[Entry]) -> list[int]:
        """Append stanzas, all or none; their numbers. Lasting ones are on disk when this returns.

        Raises OutboxFull, ShareFull, OSError.
        """
        with self._lock:
            if len(self._waiting) + len(self._unconfirmed) + len(entries) > self._size:  # what is only unsettled is as good as gone
                raise OutboxFull
            self._hold(entries)
            if over := frozenset(e.sender for e in entries if e.sender and self._held[e.sender] > self._share):
                self._release(entries)
                raise ShareFull(over)
        try:
            kept = self._keep(entries)
        except BaseException:
            with self._lock:
                self._release(entries)
            raise
        with self._lock:
            self._waiting.extend(kept)
        _log_step("queued", kept)
        if flush := self._flush:
            flush()
        return [e.number for e in kept]

    def put_bound(self, entry: Entry, stream: int) -> None:
        """Append a stanza for the stream of this number alone. Raises OtherStream, OutboxFull, ShareFull."""
        with self._lock:
            if stream != self._streams:
                raise OtherStream
            if len(self._waiting) + len(self._unconfirmed) >= self._size:
                raise OutboxFull
            if entry.sender and self._held[entry.sender] >= self._share:
                raise ShareFull(frozenset((entry.sender,)))
            self._hold((entry,))
            self._waiting.append(entry._replace(bound=True))
        _log_step("queued", (entry,))
        if flush := self._flush:
            flush()

    def _hold(self, entries: Iterable[Entry]) -> None:
        for e in entries:
            if e.sender:
                self._held[e.sender] += 1

    def _release(self, entries: Iterable[Entry]) -> None:
        for e in entries:
            if e.sender:
                self._held[e.sender] -= 1
                if not self._held[e.sender]:
                    del self._held[e.sender]

    def _keep(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        lasting = [e for e in entries if e.lasting]
        if not lasting or self._journal is None:
            return entries
        ids = [e.request_id for e in lasting]
        numbers = iter(self._journal.append([e.data.decode() for e in lasting], [e.note for e in lasting], ids))
        return [e._replace(number=next(numbers)) if e.lasting else e for e in entries]

    # what follows belongs to the thread that writes to the stream, one at a time

    def take(self) -> list[Entry]:
        """The next stanzas to write, at most BURST."""
        if not self._waiting:
            return []
        with self._lock:
            burst = [self._waiting.popleft() for _ in range(min(BURST, len(self._waiting)))]
            if self._unconfirmed or any(e.lasting for e in burst):  # an iq needs no confirmation, as it is answered
                self._unconfirmed.extend(burst)
                self._taken += len(burst)
            else:
                self._release(burst)
        return burst

    def wrote(self, entries: Sequence[Entry]) -> None:
        """The kernel has these."""
        _log_step("sent", entries)
        self._on_progress(entries, Progress.WRITTEN)

    @property
    def mark(self) -> int:
        """What to ask the confirmation of: how many stanzas this stream has taken."""
        return self._taken

    @property
    def unsettled(self) -> bool:
        """Whether a confirmation would confirm anything."""
        return self._taken != self._confirmed or bool(self._unsettled)

    def confirm(self, mark: int) -> None:
        """The server has processed all that was taken before `mark` was read, and has got rid of what was confirmed before."""
        with self._lock:
            settled = self._unsettled
            confirmed = [self._unconfirmed.popleft() for _ in range(mark - self._confirmed)]
            self._unsettled = [e for e in confirmed if e.lasting]
            self._release(confirmed)
            self._confirmed = max(mark, self._confirmed)
        numbers = [e.number for e in settled if e.number]
        if numbers and self._journal is not None:
            self._journal.ack(numbers)
        _log_step("confirmed", confirmed)
        self._on_progress(confirmed, Progress.CONFIRMED)

    def stream_begins(self) -> int:
        """A stream is up, on which nothing is written yet: what was bound to an earlier one is dropped. The number of the stream."""
        with self._lock:
            self._release(e for e in self._waiting if e.bound)
            self._waiting = deque(e for e in self._waiting if not e.bound)
            self._streams += 1
            return self._streams

    def stream_ended(self) -> None:
        """What was not settled waits for the next stream, before all else."""
        with self._lock:
            self._hold(e for e in self._unsettled if not e.bound)
            self._release(e for e in self._unconfirmed if e.bound or not e.lasting)
            again = [e for e in (*self._unsettled, *self._unconfirmed) if e.lasting and not e.bound]
            self._waiting.extendleft(reversed(again))
            self._unsettled.clear()
            self._unconfirmed.clear()
            self._taken = self._confirmed = 0

    # notes: what the stanzas in the journal stand for besides

    def noted(self) -> list[NotedEntry]:
        """What an earlier process has put, and whose notes are not acknowledged; it need not wait any more."""
        return self._journal.noted() if self._journal is not None else []

    def ack_notes(self, numbers: Sequence[int]) -> None:
        """Acknowledge the notes of stanzas; they stay in the journal until they are settled."""
        if self._journal is not None:
            self._journal.ack_notes(numbers)

    def forget_notes(self) -> None:
        """Have no acknowledged note on disk any more when this returns. Raises OSError."""
        if self._journal is not None:
            self._journal.forget_notes()

    def close(self) -> None:
        """Give the journal back."""
        if self._journal is not None:
            self._journal.close()


def _log_step(event: str, entries: Iterable[Entry]) -> None:
    """Log the way of stanzas."""
    if log.isEnabledFor(logging.DEBUG):
        for e in entries:
            of_request = {"request_id": e.request_id} if e.request_id else {}
            say(log, logging.DEBUG, event, sender=e.label.sender if e.label else e.sender, stanza_id=e.label and e.label.id, **of_request)


def account_of(sender: str) -> str:
    """The bare JID in whose share a stanza is; "" for what a domain says itself: the gateway, or the program that has its token."""
    return sender if "@" in sender else ""
