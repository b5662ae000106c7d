"""A journal in the storage that all nodes share: what a 202 promises is a row of it, which the next owner reads (many-machines §7).

Many threads share one commit, and what is acknowledged goes with it. Items of archives that belong to an entry are written by the same
commit: a reader on any node finds what is accepted. No entry has a note, as there is nothing to do behind its answer.

A commit whose outcome is not known is made again, with the same numbers, until that is known: what may be kept is kept. Its callers may
have been told of a failure by then; so what turns out to be kept is reported (`on_late`), to be sent as everything else.
"""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from drivers import Addition, BadValue, CommitInDoubt, StorageError
from drivers.shared import JournalChange, JournalRow, JournalRows, LeaseLost
from xmpp_rest.cluster.ack_writer import AckWriter
from xmpp_rest.cluster.left_files import LeftEntry, OfNote
from xmpp_rest.link.journal import NotedEntry
from xmpp_rest.link.journals import LateEntry, OnLate, parted, written
from xmpp_rest.threads.backoff import Backoff
from xmpp_rest.threads.group import GroupExecutor

log = logging.getLogger("xmpp_rest.link")

MOST = 256  # entries of one commit, unless one caller has more
PATIENCE = 5.0  # seconds for which a commit is tried again while the storage is away (many-machines §8: a fast restart costs no 503)
FIRST, LONGEST = 0.02, 0.5  # seconds between two attempts
MOMENT = 0.5  # seconds after a failure that left a doubt, for which nothing is tried: what waited elsewhere for that one comes now
FAILED = "the database has failed"
ENDED = "the gateway is being stopped"

OnUnkept = Callable[[Addition, Exception], None]
"""Told of items that the storage refuses for themselves: the stanzas are sent all the same."""


class SharedEntry:
    """One entry on its way into the storage."""

    __slots__ = ("addition", "number", "since", "text")

    def __init__(self, text: str, addition: Addition | None, since: float) -> None:
        self.text = text
        self.addition = addition
        self.since = since  # by the clock of the journal
        self.number = 0

    def take(self, number: int) -> None:
        """It gets its number in the order of the queue."""
        self.number = number


class SharedJournal:
    """The entries of one journal. Safe to be used by several threads; one process of all nodes at a time owns it."""

    def __init__(self, rows: JournalRows, acks: AckWriter, on_unkept: OnUnkept, clock: Callable[[], float] = time.monotonic) -> None:
        """Read what an earlier owner left. Raises OSError.

        `acks`: has `settle` called soon after it was told that there is something to write.
        """
        self._rows = rows
        self._acks = acks
        self._on_unkept = on_unkept
        self._clock = clock
        with _as_os_error():
            left = rows.read()
        self._left = {row.number: parted(row.text) for row in left}  # request id, text
        self._next = max(self._left, default=0) + 1
        self._acknowledged: list[int] = []
        self._lock = threading.Lock()  # guards the three above
        self._group: GroupExecutor[SharedEntry, Exception | None] = GroupExecutor(self._write, MOST, on_enter=self._number)
        self._doubtful: JournalChange | None = None  # what follows is the group's leader's
        self._failed_at = -1.0
        self._late: OnLate = _nobody
        self._ending = threading.Event()

    def on_late(self, listener: OnLate) -> None:
        """Tell `listener` of entries that are kept after all, though `append` has raised; on the thread that finds out."""
        self._late = listener

    def unacknowledged(self) -> list[tuple[int, str]]:
        """Numbers and texts of what an earlier owner left, and what is not acknowledged of it, oldest first."""
        with self._lock:
            return [(number, text) for number, (_, text) in sorted(self._left.items())]

    def request_id(self, number: int) -> str:
        """The id of the request that such an entry is of; "" for none."""
        with self._lock:
            return self._left[number][0]

    def noted(self) -> list[NotedEntry]:
        """None: what a note stands for is done by the commit of its entry."""
        return []

    def append(self, texts: Sequence[str], notes: Sequence[Any] = (), request_ids: Sequence[str] = ()) -> list[int]:
        """Append these; their numbers, once they are in the storage, with those of `notes` that are an Addition. Raises OSError."""
        count, now = len(texts), self._clock()
        if self._doubtful is not None and now < self._failed_at + MOMENT:
            raise OSError(errno.EIO, FAILED)
        each = zip(texts, notes or (None,) * count, request_ids or ("",) * count, strict=True)
        entries = [SharedEntry(written(text, of), note if isinstance(note, Addition) else None, now) for text, note, of in each]
        for error in self._group.run(entries):
            if error is not None:
                raise error
        return [entry.number for entry in entries]

    def adopt(self, left: Sequence[LeftEntry], of_note: OfNote) -> None:
        """Append what a node has kept in a file, in one commit, and report what is to be sent of it. Raises OSError."""
        numbers = self.append([e.text for e in left], [e.addition(of_note) for e in left], [e.request_id for e in left])
        numbered = [*zip(numbers, left, strict=True)]
        self.ack([number for number, entry in numbered if entry.is_acknowledged])
        self._late([LateEntry(number, entry.text, entry.request_id) for number, entry in numbered if not entry.is_acknowledged])

    def ack(self, numbers: Sequence[int]) -> None:
        """Acknowledge these entries; in the storage with the next append, or by `settle`."""
        with self._lock:
            for number in numbers:
                self._left.pop(number, None)
            self._acknowledged += numbers
        self._acks.wake()

    def ack_notes(self, numbers: Sequence[int]) -> None:
        """Nothing: there are no notes."""

    def forget_notes(self) -> None:
        """Have every acknowledgement in the storage when this returns. Raises OSError."""
        self._group.run(())

    def settle(self) -> None:
        """As `forget_notes`, if there is anything to write. Raises OSError."""
        if self._acknowledged or self._doubtful is not None:
            self.forget_notes()

    def close(self) -> None:
        """Write what is collected; what cannot be written is handled again by the next owner. Takes nothing more.

        Where a commit is in doubt, another attempt may take as long as that, and the next owner waits for it: then nothing is tried.
        """
        self._ending.set()
        try:
            if self._doubtful is None:
                self.settle()
        except OSError as e:
            log.info("what was confirmed last may be sent again: %s", e)
        finally:
            self._acks.remove(self)

    def _number(self, entries: Sequence[SharedEntry]) -> None:
        with self._lock:
            for number, entry in enumerate(entries, self._next):
                entry.take(number)
            self._next += len(entries)

    def _write(self, entries: Sequence[SharedEntry]) -> Sequence[Exception | None]:
        """Keep all that several threads append, but for those who have waited while the storage failed. Raises OSError."""
        if entries and self._ending.is_set():
            raise OSError(errno.EBADF, ENDED)
        fresh = [entry for entry in entries if entry.since > self._failed_at]
        failure = OSError(errno.EIO, FAILED) if len(fresh) < len(entries) else None
        if fresh or not entries:
            try:
                with _as_os_error():
                    self._keep(fresh)
            except OSError:
                self._failed_at = self._clock()
                raise
        return [None if entry.since > self._failed_at or failure is None else failure for entry in entries]

    def _keep(self, entries: Sequence[SharedEntry]) -> None:
        """Raises StorageError."""
        deadline = self._clock() + PATIENCE
        self._end_doubt(deadline)
        with self._lock:
            acknowledged, self._acknowledged = self._acknowledged, []
        added = [JournalRow(entry.number, entry.text) for entry in entries]
        try:
            if added or acknowledged:
                self._commit(JournalChange(added, acknowledged, _by_archive(entries)), deadline)
        except BaseException:
            with self._lock:
                self._acknowledged[:0] = acknowledged
            raise

    def _end_doubt(self, deadline: float) -> None:
        """Keep for certain what may be kept, before anything behind it is. Raises StorageError."""
        if (doubtful := self._doubtful) is not None:
            self._commit(doubtful, deadline, in_doubt=True)
            self._doubtful = None
            self._late([LateEntry(row.number, text, of) for row in doubtful.added for of, text in (parted(row.text),)])

    def _commit(self, change: JournalChange, deadline: float, *, in_doubt: bool = False) -> None:
        """Make the change, with more attempts while the storage is away. `in_doubt`: it may be made already. Raises StorageError."""
        backoff = Backoff()
        while True:
            try:
                self._report(change, self._rows.commit(change))
                return
            except (LeaseLost, BadValue):  # of a LeaseLost: what may be kept is the next owner's
                raise
            except StorageError as e:
                if isinstance(e, CommitInDoubt) and not in_doubt:
                    in_doubt, change = True, _repeated(change)
                if e.lasting or self._clock() >= deadline or self._ending.wait(backoff.next(FIRST, LONGEST)):
                    if in_doubt:
                        self._doubtful = change  # there is no other, as that is ended before the next change
                        self._acks.wake()
                    raise

    def _report(self, change: JournalChange, errors: Sequence[Exception | None]) -> None:
        """Of archives that refuse some of their items: keep the others one by one. Raises StorageError."""
        for addition, error in zip(change.additions, errors, strict=True):
            if error is not None and len(addition.items) > 1:
                apart = JournalChange(additions=[addition._replace(items=(item,)) for item in addition.items])
                self._report(apart, self._rows.commit(apart))
            elif error is not None:
                self._on_unkept(addition, error)


@contextmanager
def _as_os_error() -> Iterator[None]:
    """Errors of the storage become what users of journals expect."""
    try:
        yield
    except StorageError as e:
        raise OSError(errno.EIO, e.told or FAILED) from e


def _by_archive(entries: Sequence[SharedEntry]) -> list[Addition]:
    """One addition for each archive, with the items in the order of the entries."""
    found: dict[tuple[str | None, str, str], Addition] = {}
    for addition in [entry.addition for entry in entries if entry.addition is not None]:
        place = addition[:3]
        before = found.get(place)
        if before is None:
            found[place] = addition
        else:
            found[place] = addition._replace(items=[*before.items, *addition.items], new=before.new and addition.new)
    return [*found.values()]


def _repeated(change: JournalChange) -> JournalChange:
    """The same, which finds what is there already."""
    return change._replace(additions=[addition._replace(new=False) for addition in change.additions])


def _nobody(_entries: Sequence[LateEntry]) -> None:
    """There is no listener yet."""
