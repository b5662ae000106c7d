"""OutgoingTransfers: what the owner of one hosted domain passes on to those of the others, kept before it counts as sent."""

# many-machines §11

from __future__ import annotations

import errno
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from drivers import Addition, StorageError
from drivers.shared import EVERYBODY, JournalChange, JournalRow, JournalRows, Shared, TransferMark, TransferRow, channel_of
from xmpp_rest.cluster.ack_writer import AckWriter
from xmpp_rest.cluster.frames import PASSED
from xmpp_rest.cluster.passed_text import PassedText
from xmpp_rest.cluster.sender_thread import FrameSender
from xmpp_rest.cluster.shared_journal import SharedJournal
from xmpp_rest.cluster.transfer_bound import TransferBound
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.journals import LateEntry, parted

log = logging.getLogger("xmpp_rest.link")

NOT_OPEN = "The owner of this domain does not serve yet, or not any more; try again later"


class PassedOnRows(JournalRows):
    """A journal whose entries are taken away by another owner: nothing is left in it, and nothing acknowledged."""

    def __init__(self, rows: JournalRows, hosted: str, source: str, on_passed: Callable[[], None]) -> None:
        """`rows`: of the domain that passes on; `hosted`: to whose owner; `source`: the name of the one who numbers.

        `on_passed` is called after each commit, and must not wait.
        """
        self._rows = rows
        self._hosted = hosted
        self._source = source
        self._on_passed = on_passed

    def read(self) -> list[JournalRow]:
        return []

    def commit(self, change: JournalChange) -> list[Exception | None]:
        passed_on = [TransferRow(0, self._hosted, self._source, row.number, row.text) for row in change.added]
        errors = self._rows.commit(JournalChange(additions=change.additions, passed_on=passed_on))
        self._on_passed()
        return errors


class Destination(NamedTuple):
    """The owner of other hosted domains: `hosted` is the one that names them, `shared` what the nodes share for these.

    `has_owner`: whether there is one now; it does not wait.
    """

    hosted: str
    shared: Callable[[], Shared]
    has_owner: Callable[[], bool]


class Bounds(NamedTuple):
    """How much may wait: stanzas in all, from where on `has_room` is False, and of one sender (`sender_of` tells of a text; "": none)."""

    size: int
    full: int
    share: int
    sender_of: Callable[[str], str]


class TransferWay(NamedTuple):
    """From one owner to another, that of `hosted`: under the name `source`."""

    hosted: str
    source: str
    journal: SharedJournal
    bound: TransferBound


class OutgoingTransfers:
    """Of one owner. `open` and `close` are called once each, by the process that owns; `pass_on` by any thread meanwhile."""

    def __init__(
        self,
        own: str,
        shared: Callable[[], Shared],
        others: Mapping[str, Destination],
        run: str,
        epoch: Callable[[], int],
        bounds: Bounds,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`own`: the domain that passes on; `others`: where what is for an address at each other hosted domain goes.

        `run` and `epoch` name the one who owns `own`.
        """
        self._own = own
        self._shared = shared
        self._others = others
        self._run = run
        self._epoch = epoch
        self._bounds = bounds
        self._clock = clock
        self._acks = AckWriter()
        self._senders = {at.hosted: FrameSender(at.shared, run) for at in others.values()}
        self._ways: dict[str, TransferWay] = {}  # by the domain that names the other owner
        self._late: dict[str, list[PassedText]] = {}  # what could not be kept, by the same; of each the oldest first
        self._guard = threading.Lock()  # of these; never held while the database waits
        self._keeping = threading.Lock()  # while they are being kept

    def open(self) -> None:
        """Begin to pass on. Raises OSError; called again after that."""
        for hosted, sender in self._senders.items():
            if hosted not in self._ways:
                self._ways[hosted] = self._opened(hosted, sender)
                sender.start()

    def _opened(self, hosted: str, sender: FrameSender) -> TransferWay:
        to, source = channel_of(hosted, EVERYBODY), f"{self._own}>{hosted}/{self._run}/{self._epoch()}"
        bounds, shared = self._bounds, self._shared
        bound = TransferBound(hosted, bounds.size, bounds.share, lambda: shared().transfer_marks(hosted), self._clock)

        def tell() -> None:
            sender.put_single(to, {PASSED: True})

        try:
            own = shared().journal("", self._own)
            bound.left([(row, bounds.sender_of(parted(row.text)[1])) for row in shared().transfers(hosted, bounds.full)])
        except StorageError as e:
            raise OSError(errno.EIO, e.told or "the database has failed") from e
        rows = PassedOnRows(own, hosted, source, tell)
        journal = SharedJournal(rows, self._acks, _unkept, self._clock)
        journal.on_late(partial(self._kept_after_all, hosted))
        self._acks.add(journal)
        return TransferWay(hosted, source, journal, bound)

    def is_owned(self, domain: str) -> bool:
        """Whether the domain has an owner now; does not wait."""
        return self._others[domain].has_owner()

    def pass_on(self, domain: str, texts: Sequence[str], request_ids: Sequence[str], *, is_answer: bool = False) -> None:
        """Pass stanzas on to the owner of this domain, in order; they are kept when this returns. All or none.

        `is_answer`: to what was taken from there, which is one less: it is kept however much waits.
        Raises GatewayError: storage-failed; link-down; outbox-full, outbox-share.
        """
        way = self._ways.get(self._others[domain].hosted)
        if way is None:
            raise GatewayError("link-down", NOT_OPEN)
        senders = [self._bounds.sender_of(text) for text in texts]
        try:
            self._keep_late(way)
            if not is_answer:
                way.bound.enter(senders)
        except StorageError as e:
            raise GatewayError("storage-failed", f"What is for {domain} cannot be kept: {e.told or 'the database has failed'}") from e
        try:
            numbers = way.journal.append(texts, (), request_ids)
        except OSError as e:
            if not is_answer:
                way.bound.gave_up(senders)
            raise GatewayError("storage-failed", f"What is for {domain} cannot be kept: {e.strerror or e}") from e
        way.bound.kept([TransferMark(way.source, number) for number in numbers], senders, entered=not is_answer)

    def pass_on_later(self, domain: str, texts: Sequence[str], request_ids: Sequence[str]) -> None:
        """As `Crossing` says: `settle` raises until they are kept. Who is to remove what they came of asks that first."""
        with self._guard:
            self._late.setdefault(self._others[domain].hosted, []).extend(map(PassedText, texts, request_ids))

    def settle(self) -> None:
        """Keep what could not be kept when it was passed on. Raises StorageError."""
        for way in self._ways.values():
            self._keep_late(way)

    def _keep_late(self, way: TransferWay) -> None:
        if not self._late.get(way.hosted):
            return
        with self._keeping:
            try:
                way.journal.settle()  # a doubt ends first: some of these may be kept by that
                with self._guard:
                    late = [*self._late[way.hosted]]
                numbers = way.journal.append([each.text for each in late], (), [each.request_id for each in late])
            except OSError as e:
                raise e.__cause__ if isinstance(e.__cause__, StorageError) else StorageError(e.strerror or str(e)) from e
            self._remove_late(way.hosted, late)
            marks = [TransferMark(way.source, number) for number in numbers]
            way.bound.kept(marks, [self._bounds.sender_of(each.text) for each in late], entered=False)

    def _remove_late(self, hosted: str, kept: Sequence[PassedText]) -> None:
        with self._guard:
            late = self._late.get(hosted, [])
            for each in kept:
                if each in late:
                    late.remove(each)

    def _kept_after_all(self, hosted: str, entries: Sequence[LateEntry]) -> None:
        self._remove_late(hosted, [PassedText(entry.text, entry.request_id) for entry in entries])

    def has_room(self) -> bool:
        """Whether not so much waits for any other owner that nothing should be taken in. Raises StorageError."""
        return all(self._has_room(way.bound) for way in self._ways.values())

    def _has_room(self, bound: TransferBound) -> bool:
        if bound.count >= self._bounds.full:
            bound.look()
        return bound.count < self._bounds.full

    def close(self) -> None:
        """Pass nothing on any more."""
        for way in self._ways.values():
            way.journal.close()
        for sender in self._senders.values():
            sender.stop()


def _unkept(addition: Addition, error: Exception) -> None:
    """Nothing of archives is passed on."""
    log.error("an item of %s was to be archived with what is passed on: %r", addition.host, error)
