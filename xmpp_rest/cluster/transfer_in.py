"""IncomingTransfers: takes what the owners of other hosted domains have passed on to the owner of one, in the order of each of them."""

# many-machines §11

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol

from drivers import BadValue, StorageError
from drivers.shared import JournalChange, LeaseLost, Shared, TransferRow
from xmpp_rest.cluster.passed_text import PassedText
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.journals import parted
from xmpp_rest.protocol.held_back import HeldBack, Way
from xmpp_rest.threads.backoff import Backoff

log = logging.getLogger("xmpp_rest.link")

MOST = 64  # stanzas that are removed at once
AT_ONCE = 8  # of them that are handled before it looks whether it is to end
OF_ROOMS = 16  # the same, for rooms, which are handled side by side; many more than a process has connections would wait for these
EVERY = 1.0  # seconds between two looks where nobody tells that something is there
FIRST, LONGEST = 0.05, 2.0  # seconds between two attempts after a failure
ATTEMPTS = 10  # at one stanza, while the storage keeps what it is given: then its sender is told
SOURCES = 1000  # whose last number is remembered
NO_LEASE = ""
"""In place of the domain whose lease allows to remove what was taken, where the gateway is alone."""
END = 5.0  # seconds for the batch under way at the end


class PassedTaker(Protocol):
    """Handles what was passed on; `link.passed_stanzas.PassedStanzas` is one."""

    def take(self, passed: Sequence[PassedText], held: set[Way]) -> Sequence[Exception | None]:
        """Handle these in order; the exception of each that is to be handled again.

        What is on a way that is `held`, or comes behind what fails here, is HeldBack; `held` grows by those ways.
        """
        ...

    def refuse(self, passed: PassedText) -> Exception | None:
        """It cannot be handled: tell its sender, if an error is due; why that is not possible now."""
        ...


def _nothing() -> None:
    """Nothing came of it that is to be kept."""


def _always() -> bool:
    """All that comes of it can be kept."""
    return True


class IncomingTransfers:
    """Of the owner of one domain. One thread, from `start` to `stop`.

    A stanza is removed once it is handled; an owner that dies in between leaves it to the next one, who handles it again.
    """

    def __init__(
        self, hosted: str, shared: Callable[[], Shared], taker: PassedTaker, bell: threading.Event, incidents: Incidents,
        owned: str | None = None, at_once: int = AT_ONCE, may_take: Callable[[], bool] = _always,
        settle: Callable[[], None] = _nothing,
    ) -> None:  # fmt: skip
        """`bell` is set by others when something may be there.

        `owned`: the domain whose owner takes what is left of a time when `hosted` had another one, and ends then; NO_LEASE: there is this
        gateway alone; None: the owner of `hosted` takes what comes.
        `at_once`: how many the `taker` is given. `may_take`: whether there is room for what comes of it; may raise StorageError.
        `settle`: raises StorageError until all is kept that came of what was handled.
        """
        self._hosted = hosted
        self._owned = hosted if owned is None else owned
        self._ends = owned is not None
        self._shared = shared
        self._taker = taker
        self._at_once = at_once
        self._bell = bell
        self._incidents = incidents
        self._may_take = may_take
        self._settle = settle
        self._handled: set[int] = set()  # `seq` of what is to be removed
        self._last: OrderedDict[str, int] = OrderedDict()  # source → the number that was handled last
        self._failed: dict[int, int] = {}  # `seq` → attempts; 0: it waits behind another one
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"transfer {hosted}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after the batch that is under way (bounded)."""
        self._stopping.set()
        self._bell.set()
        if self._thread.is_alive():
            self._thread.join(END)

    def _run(self) -> None:
        backoff = Backoff()
        while not self._stopping.is_set():
            self._bell.clear()
            try:
                goes_on = self.turn()
            except LeaseLost as e:
                log.info("what was passed on to %s is taken by its next owner: %s", self._hosted, e)
                return
            except Exception as e:
                is_known = isinstance(e, StorageError)
                self._incidents.report(log, "transfer", "what was passed on to %s waits: %s", self._hosted, e, trace=not is_known)
                self._stopping.wait(backoff.next(FIRST, LONGEST))
                continue
            if self._failed:
                self._stopping.wait(backoff.next(FIRST, LONGEST))
            else:
                backoff.reset()
                if not goes_on and self._ends:
                    return
                if not goes_on:
                    self._bell.wait(EVERY)

    def turn(self) -> bool:
        """Take what is there; whether there may be more at once. Called by its thread. Raises StorageError."""
        rows = self._shared().transfers(self._hosted, MOST) if self._may_take() else []
        if not rows:
            return False
        due, held = [row for row in rows if self._is_due(row)], set[Way]()  # what has failed is among the first, and tried again
        for start in range(0, len(due), self._at_once):
            if self._stopping.is_set() or (start and not self._may_take()):
                break  # and nothing behind these, which would count as had
            self._settle()
            self._handle(due[start : start + self._at_once], held)
        done = [row.seq for row in rows if not self._is_due(row)]
        if done:
            self._settle()
            self._shared().journal("", self._owned).commit(JournalChange(taken=done))
            self._handled.difference_update(done)
        return len(rows) == MOST and bool(done)

    def _is_due(self, row: TransferRow) -> bool:
        """Whether it is to be handled: not what was, and could not be removed, nor what its source has kept twice, in doubt."""
        return row.seq in self._failed or (row.seq not in self._handled and row.number > self._last.get(row.source, 0))

    def _handle(self, rows: Sequence[TransferRow], held: set[Way]) -> None:
        """Raises LeaseLost, after which nothing more is to be done here; StorageError: it keeps nothing now, and all that failed waits."""
        passed = [PassedText(text, request_id) for request_id, text in (parted(row.text) for row in rows)]
        failed: list[tuple[TransferRow, PassedText, Exception]] = []
        for row, each, error in zip(rows, passed, self._errors(passed, held), strict=True):
            if error is None:
                self._is_done(row)
                continue
            self._failed.setdefault(row.seq, 0)
            if not isinstance(error, HeldBack):
                failed.append((row, each, error))
        for _, _, error in failed:
            if isinstance(error, LeaseLost):
                raise error
        if any(_is_of_storage(error) for _, _, error in failed):
            self._require_storage()
        for row, each, error in failed:
            self._count(row, each, error)

    def _is_done(self, row: TransferRow) -> None:
        self._failed.pop(row.seq, None)
        self._handled.add(row.seq)
        self._last[row.source] = max(row.number, self._last.get(row.source, 0))
        self._last.move_to_end(row.source)
        if len(self._last) > SOURCES:
            self._last.popitem(last=False)

    def _errors(self, passed: Sequence[PassedText], held: set[Way]) -> Sequence[Exception | None]:
        """Have these handled; the exception of each. Raises StorageError: of some it is not known, and all are handled again."""
        try:
            return self._taker.take(passed, held)
        except StorageError:
            raise
        except Exception as e:  # nobody foresaw it: it must not hold up all that follows forever
            return [e] * len(passed)

    def _require_storage(self) -> None:
        """Raise StorageError where the storage keeps nothing, though it may be read, as without the standby of `copies = 2`.

        What was accepted is not refused for that, however long it lasts.
        """
        self._shared().journal("", self._owned).commit(JournalChange())

    def _count(self, row: TransferRow, passed: PassedText, error: Exception) -> None:
        """One more attempt has failed; the last one is the end of it, once its sender is told: until then it counts as accepted there."""
        self._failed[row.seq] += 1
        if self._failed[row.seq] < ATTEMPTS:
            return
        self._incidents.report(log, "transfer-failed", "a stanza that was passed on to %s cannot be handled: %r", self._hosted, error)
        if isinstance(self._taker.refuse(passed), GatewayError | StorageError):  # such as storage-failed
            self._failed[row.seq] -= 1
        else:
            self._is_done(row)


def _is_of_storage(error: Exception) -> bool:
    """Whether it may be the storage that has failed, and not what it was to keep."""
    if isinstance(error, GatewayError):
        return error.name == "storage-failed"
    return isinstance(error, StorageError) and not isinstance(error, BadValue)
