"""The archive queue: messages that the journal has on disk, and that are archived behind their answers (decision 0037).

One thread archives what has come within DELAY, or MOST at once, in one transaction. A reader has them archived at once, by `settle`.
An error of the storage costs nothing but time: what is queued stays in the journal until it is archived, here or after a restart.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from drivers import ArchiveItem, BadValue
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.journal import NotedEntry
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.parse import parse_stored
from xmpp_rest.service.messages.archive import Archive
from xmpp_rest.service.messages.unarchived_counts import UnarchivedCounts
from xmpp_rest.threads.backoff import Backoff
from xmpp_rest.threads.tasks import OrderLock

log = logging.getLogger("xmpp_rest.storage")

DELAY = 0.02  # seconds that messages wait for others to share a transaction with
MOST = 256  # messages of one transaction, about
ROOM = 4096  # messages that may be queued; further ones are archived before their answers, so that memory is bounded and errors are seen
LONGEST = 5.0  # seconds between two attempts while the storage fails
END = 10.0  # seconds that the end of the process waits for an attempt that is under way


class QueuedMessage(NamedTuple):
    """A message that is to be archived for its sender. `number`: of its entry in the journal."""

    owner: JID
    item: ArchiveItem
    number: int
    is_left_over: bool = False
    """Whether an earlier process accepted it, and may have archived it already."""


def left_over(entry: NotedEntry) -> QueuedMessage:
    """What an earlier process accepted, and may not have archived."""
    stanza, (identifier, when) = parse_stored(entry.text), entry.note
    owner, partner = (parse_jid(stanza.attrib[name]).bare for name in ("from", "to"))
    return QueuedMessage(owner, ArchiveItem(identifier, when, str(partner), entry.text), entry.number, is_left_over=True)


class ArchiveQueue:
    """In the leader alone. Messages of one owner are archived in the order of `put`. Safe to be used by several threads."""

    def __init__(
        self, archive: Archive, counts: UnarchivedCounts, incidents: Incidents, on_archived: Callable[[Sequence[int]], None]
    ) -> None:
        """`on_archived` gets the numbers of what is archived, on disk."""
        self._archive = archive
        self._counts = counts
        self._incidents = incidents
        self._on_archived = on_archived
        self._queued: dict[JID, list[QueuedMessage]] = {}  # by owner; the first has waited longest
        self._count = 0
        self._changed = threading.Condition(threading.Lock())  # guards the two above
        self._writing = OrderLock()  # held while a batch is archived
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._backoff = Backoff()

    def __len__(self) -> int:
        return self._count

    def note_of(self, _owner: JID, item: ArchiveItem) -> Any:
        """What the journal keeps of an item besides the stanza."""
        return [item.id, item.when]

    def has_room(self, count: int) -> bool:
        """Whether so many more may be queued."""
        return self._count + count <= ROOM

    def restore(self, entries: Iterable[NotedEntry]) -> None:
        """Queue what earlier processes have left over, in this order. Called before anything is put. Raises OSError."""
        messages = []
        for entry in entries:
            try:
                messages.append(left_over(entry))
            except Exception as e:  # another program has changed the journal; the others are not to wait forever
                self._incidents.report(log, "sent-unkept", "entry %d of the outbox cannot be archived: %r", entry.number, e)
                self._on_archived([entry.number])
        self._counts.replace(message.owner for message in messages)
        for message in messages:
            self._queued.setdefault(message.owner, []).append(message)
        self._count = len(messages)

    def start(self) -> None:
        """Begin to archive what is queued."""
        thread = threading.Thread(target=self._run, name="archive", daemon=True)
        thread.start()
        self._thread = thread  # not before: who ends it meanwhile could not join it

    def stop(self, *, archives: bool = True) -> None:
        """End, and if it still `archives`, archive what is queued, if the storage takes it; the rest is for the next process."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(END)
        while archives and self._queued and not self._archive_some():
            pass

    def put(self, messages: Sequence[QueuedMessage]) -> None:
        """Queue messages, which are on disk; those of one owner are put by one thread at a time."""
        for message in messages:
            self._counts.add(message.owner, 1)
        with self._changed:
            if not self._count:
                self._changed.notify()
            self._count += len(messages)
            for message in messages:
                self._queued.setdefault(message.owner, []).append(message)

    def settle(self, owner: JID) -> None:
        """Have everything archived that was put for `owner`. Raises StorageError."""
        while owner in self._queued:
            if error := self._archive_some(owner):
                raise error

    def settle_all(self) -> None:
        """Have everything archived. Raises StorageError."""
        for owner in tuple(self._queued):
            self.settle(owner)

    def _run(self) -> None:
        while not self._stopping.is_set():
            with self._changed:
                while not self._queued and not self._stopping.is_set():
                    self._changed.wait()
            if self._count < MOST and self._stopping.wait(DELAY):
                return
            if self._archive_some():
                self._stopping.wait(self._backoff.next(DELAY, LONGEST))
            else:
                self._backoff.reset()

    def _archive_some(self, first: JID | None = None) -> Exception | None:
        """Archive the oldest, and before them those of `first`, in one transaction; an error that another attempt may not meet."""
        with self._writing:
            batch = self._batch(first)
            try:
                errors = self._archive_batch(batch)
            except Exception as e:  # of looking for what is left over
                errors = dict.fromkeys(batch, e)
            self._remove(batch, errors)
        failed = {owner: error for owner, error in errors.items() if error is not None}
        for owner, error in failed.items():
            self._incidents.report(log, "archive-behind", "messages of %s cannot be archived, but are kept: %r", owner, error)
        return failed.get(first) if first is not None else next(iter(failed.values()), None)

    def _batch(self, first: JID | None) -> dict[JID, list[QueuedMessage]]:
        """By owner, at most about MOST."""
        batch: dict[JID, list[QueuedMessage]] = {}
        count = 0
        with self._changed:
            for owner in ((first, *self._queued) if first in self._queued else self._queued):
                if owner is None or owner in batch:
                    continue
                batch[owner] = self._queued[owner][:MOST]
                count += len(batch[owner])
                if count >= MOST:
                    break
        return batch

    def _archive_batch(self, batch: dict[JID, list[QueuedMessage]]) -> dict[JID, Exception | None]:
        """The error of each owner, or None."""
        items = {owner: self._missing(owner, messages) for owner, messages in batch.items()}
        missing = {owner: some for owner, some in items.items() if some}
        errors: dict[JID, Exception | None] = dict.fromkeys(batch)
        errors |= zip(missing, self._archive.keep_all(missing), strict=True)
        for owner, error in errors.items():
            if isinstance(error, BadValue):  # raised before anything is written
                errors[owner] = self._apart(owner, missing[owner])
        return errors

    def _missing(self, owner: JID, messages: list[QueuedMessage]) -> list[ArchiveItem]:
        """The items that are not in the archive: of what is left over, some may be."""
        left_over = [m.item.id for m in messages if m.is_left_over]
        known = self._archive.known(owner, left_over) if left_over else ()
        return [m.item for m in messages if m.item.id not in known]

    def _apart(self, owner: JID, items: list[ArchiveItem]) -> Exception | None:
        """Archive the items of one owner one by one, without those that the storage refuses for themselves."""
        for item in items:
            (error,) = self._archive.keep_all({owner: [item]})
            if isinstance(error, BadValue):
                self._incidents.report(log, "sent-unkept", "a message of %s is sent, but not in its archive: %r", owner, error)
            elif error is not None:
                return error  # those before it are tried again, and found
        return None

    def _remove(self, batch: dict[JID, list[QueuedMessage]], errors: dict[JID, Exception | None]) -> None:
        """Take what is archived out of the queue; what is not waits behind all others."""
        numbers: list[int] = []
        with self._changed:
            for owner, messages in batch.items():
                queued = self._queued.pop(owner)
                if errors[owner] is None:
                    numbers += (message.number for message in messages)
                    queued = queued[len(messages) :]
                else:
                    queued = [message._replace(is_left_over=True) for message in queued]
                if queued:
                    self._queued[owner] = queued
            self._count -= len(numbers)
        self._on_archived(numbers)
        for owner, messages in batch.items():
            if errors[owner] is None:
                self._counts.add(owner, -len(messages))
