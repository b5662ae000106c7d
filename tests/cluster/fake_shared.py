"""A database in the memory of one process, which the nodes of a test share: cut off, frozen, or losing frames as the test says."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from drivers import StorageError
from drivers.batches import Addition
from drivers.shared import (
    FrameListener,
    JournalChange,
    JournalRow,
    JournalRows,
    LeaseLost,
    LeaseRow,
    NodeRow,
    Shared,
    StandbySettings,
    TransferMark,
    TransferRow,
)

HANG = 30.0  # seconds that a call of a frozen node waits at most


class _Fence(NamedTuple):
    run: str
    epoch: int
    on_lost: Callable[[], None]


class FakeDatabase:
    """What all nodes share."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        """Guards all of it."""
        self.nodes: dict[str, NodeRow] = {}
        self.leases: dict[str, LeaseRow] = {}
        self.locks: dict[str, FakeShared] = {}
        self.journals: dict[str, dict[int, str]] = {}
        self.archived: list[Addition] = []
        self.transferred: list[TransferRow] = []
        self.listeners: list[FakeListener] = []
        self.sent: list[tuple[str, str]] = []
        """Every payload that was sent."""
        self.is_down = False
        self.to_lose = 0
        """So many of the next payloads reach nobody."""
        self.standby = StandbySettings("", "on")

    def end_sessions(self) -> None:
        """As a restart does: the locks are free, and listeners hear no more."""
        with self.changed:
            self.locks.clear()
            for listener in self.listeners:
                listener.is_broken = True
            self.changed.notify_all()


class FakeShared(Shared):
    """The database as one node sees it."""

    def __init__(self, database: FakeDatabase, *, notify: bool = True) -> None:
        self.database = database
        self.calls: Counter[str] = Counter()
        self.delay = 0.0
        """Seconds that frames for this node are late."""
        self._notifies = notify
        self._is_cut = False
        self._is_frozen = False
        self._fences: dict[str, _Fence] = {}
        self._closed = False

    # what a test does

    def cut(self, *, is_noticed: bool = False) -> None:
        """Nothing gets from this node to the database any more. `is_noticed`: by the database, which frees the locks of its session."""
        with self.database.changed:
            self._is_cut = True
            if is_noticed:
                self._free_locks()
            self.database.changed.notify_all()

    def mend(self) -> None:
        """It does again, in a new session."""
        with self.database.changed:
            self._is_cut = False
            self._free_locks()
            for listener in self.database.listeners:
                if listener.shared is self:
                    listener.is_broken = True
            self.database.changed.notify_all()

    def freeze(self) -> None:
        """Every call waits, as of a process that is stopped."""
        with self.database.changed:
            self._is_frozen = True

    def thaw(self) -> None:
        """It goes on; what has come meanwhile is there."""
        with self.database.changed:
            self._is_frozen = False
            self.database.changed.notify_all()

    def _free_locks(self) -> None:
        for hosted in [hosted for hosted, holder in self.database.locks.items() if holder is self]:
            del self.database.locks[hosted]

    # as Shared

    @property
    def is_cut(self) -> bool:
        return self._is_cut or self._closed or self.database.is_down

    def require(self, name: str) -> None:
        """Count a call, and wait while the node is frozen; with `changed` held. Raises StorageError."""
        self.calls[name] += 1
        self.database.changed.wait_for(lambda: not self._is_frozen, HANG)
        if self.is_cut:
            raise StorageError("the database cannot be reached")

    def enter(self, own: NodeRow) -> NodeRow | None:
        with self.database.changed:
            self.require("enter")
            former = self.database.nodes.get(own.node)
            self.database.nodes[own.node] = own
            return former

    def beat(self, own: NodeRow) -> bool:
        with self.database.changed:
            self.require("beat")
            row = self.database.nodes.get(own.node)
            if row is None or row.run != own.run:
                return False
            self.database.nodes[own.node] = own._replace(beat=row.beat + 1)
            return True

    def nodes(self) -> list[NodeRow]:
        with self.database.changed:
            self.require("nodes")
            return [self.database.nodes[name] for name in sorted(self.database.nodes)]

    def forget(self, node: str, seen: NodeRow) -> bool:
        with self.database.changed:
            self.require("forget")
            if self.database.nodes.get(node) != seen:
                return False
            del self.database.nodes[node]
            return True

    def leases(self) -> dict[str, LeaseRow]:
        with self.database.changed:
            self.require("leases")
            return dict(self.database.leases)

    def take(self, hosted: str, node: str, run: str, seen: LeaseRow | None) -> int | None:
        with self.database.changed:
            self.require("take")
            row = self.database.leases.get(hosted)
            if row != seen:
                return None
            epoch = row.epoch + 1 if row else 1
            self.database.leases[hosted] = LeaseRow(hosted, node, run, epoch, 0)
            return epoch

    def _holds(self, hosted: str, run: str, epoch: int) -> bool:
        row = self.database.leases.get(hosted)
        return row is not None and row.node != "" and (row.run, row.epoch) == (run, epoch)

    def renew(self, hosted: str, run: str, epoch: int) -> bool:
        with self.database.changed:
            self.require("renew")
            if not self._holds(hosted, run, epoch):
                return False
            row = self.database.leases[hosted]
            self.database.leases[hosted] = row._replace(beat=row.beat + 1)
            return True

    def release(self, hosted: str, run: str, epoch: int) -> None:
        with self.database.changed:
            self.require("release")
            if self._holds(hosted, run, epoch):
                self.database.leases[hosted] = self.database.leases[hosted]._replace(node="")

    def hold_lock(self, hosted: str) -> bool:
        with self.database.changed:
            self.require("hold_lock")
            return self._notifies and self.database.locks.setdefault(hosted, self) is self

    def lock_is_free(self, hosted: str) -> bool:
        with self.database.changed:
            self.require("lock_is_free")
            return self._notifies and hosted not in self.database.locks

    def free_lock(self, hosted: str) -> None:
        with self.database.changed:
            self.require("free_lock")
            if self.database.locks.get(hosted) is self:
                del self.database.locks[hosted]

    def fence(self, hosted: str, run: str, epoch: int, hosts: Collection[str], on_lost: Callable[[], None]) -> None:
        self._fences[hosted] = _Fence(run, epoch, on_lost)

    def unfence(self, hosted: str) -> None:
        self._fences.pop(hosted, None)

    def check_fence(self, hosted: str) -> None:
        """With `changed` held. Raises LeaseLost."""
        fence = self._fences.get(hosted)
        if fence is None:
            raise LeaseLost(f"the lease of {hosted} is not held")
        if not self._holds(hosted, fence.run, fence.epoch):
            fence.on_lost()
            raise LeaseLost(f"the lease of {hosted} is another's")

    def journal(self, name: str, hosted: str = "") -> JournalRows:
        return FakeJournalRows(self, name, hosted)

    def journal_sizes(self) -> dict[str, int]:
        with self.database.changed:
            self.require("journal_sizes")
            return {name: len(rows) for name, rows in self.database.journals.items() if rows}

    def transfers(self, hosted: str, most: int = 256) -> list[TransferRow]:
        with self.database.changed:
            self.require("transfers")
            return [row for row in self.database.transferred if row.hosted == hosted][:most]

    def transfer_marks(self, hosted: str) -> list[TransferMark]:
        with self.database.changed:
            self.require("transfer_marks")
            return [TransferMark(row.source, row.number) for row in self.database.transferred if row.hosted == hosted]

    def listen(self, channels: Sequence[str]) -> FrameListener:
        with self.database.changed:
            self.require("listen")
            listener = FakeListener(self, channels)
            self.database.listeners.append(listener)
            return listener

    def notify(self, sent: Sequence[tuple[str, str]]) -> None:
        with self.database.changed:
            self.require("notify")
            self.database.sent += sent
            lost = min(self.database.to_lose, len(sent))
            self.database.to_lose -= lost
            for listener in self.database.listeners:
                listener.put(sent[lost:])
            self.database.changed.notify_all()

    def standby_settings(self) -> StandbySettings:
        with self.database.changed:
            self.require("standby_settings")
            return self.database.standby

    def clock(self) -> float:
        return time.time()

    def close(self) -> None:
        with self.database.changed:
            self._closed = True
            self._free_locks()
            self.database.changed.notify_all()

    @property
    def is_frozen(self) -> bool:
        return self._is_frozen


class FakeListener(FrameListener):
    """Used by FakeShared."""

    def __init__(self, shared: FakeShared, channels: Sequence[str]) -> None:
        self.shared = shared
        self.is_broken = False
        self._channels = frozenset(channels)
        self._came: deque[tuple[float, tuple[str, str]]] = deque()
        self._is_woken = False

    def put(self, sent: Sequence[tuple[str, str]]) -> None:
        """Take what is for one of its channels; with `changed` held."""
        if not self.is_broken and not self.shared.is_cut:
            due = time.monotonic() + self.shared.delay
            self._came += [(due, each) for each in sent if each[0] in self._channels]

    def _wait(self) -> float:
        """Seconds until something is there to be taken; with `changed` held."""
        if self.is_broken or self.shared.is_cut or self._is_woken:
            return 0.0
        return self._came[0][0] - time.monotonic() if self._came else HANG

    def receive(self, seconds: float) -> list[tuple[str, str]]:
        changed = self.shared.database.changed
        until = time.monotonic() + seconds
        with changed:
            while (left := min(until - time.monotonic(), self._wait())) > 0 or self.shared.is_frozen:
                changed.wait(left if left > 0 else HANG)
            self._is_woken = False
            if self.is_broken or self.shared.is_cut:
                raise StorageError("the session is over")
            came = []
            while self._came and self._came[0][0] <= time.monotonic():
                came.append(self._came.popleft()[1])
            return came

    def wake(self) -> None:
        with self.shared.database.changed:
            self._is_woken = True
            self.shared.database.changed.notify_all()

    def close(self) -> None:
        with self.shared.database.changed:
            self.is_broken = True
            if self in self.shared.database.listeners:
                self.shared.database.listeners.remove(self)
            self.shared.database.changed.notify_all()


class FakeJournalRows(JournalRows):
    """Used by FakeShared."""

    def __init__(self, shared: FakeShared, name: str, hosted: str) -> None:
        self._shared = shared
        self._name = name
        self._hosted = hosted

    def read(self) -> list[JournalRow]:
        with self._shared.database.changed:
            self._shared.require("read")
            return [JournalRow(*row) for row in sorted(self._shared.database.journals.get(self._name, {}).items())]

    def commit(self, change: JournalChange) -> list[Exception | None]:
        database = self._shared.database
        with database.changed:
            self._shared.require("commit")
            if self._hosted:
                self._shared.check_fence(self._hosted)
            rows = database.journals.setdefault(self._name, {})
            rows.update({row.number: row.text for row in change.added})
            for number in change.removed:
                rows.pop(number, None)
            database.archived += change.additions
            known = {(row.source, row.number) for row in database.transferred}
            new = [row for row in change.passed_on if (row.source, row.number) not in known]
            last = max((row.seq for row in database.transferred), default=0)
            database.transferred += [row._replace(seq=last + i) for i, row in enumerate(new, 1)]
            database.transferred = [row for row in database.transferred if row.seq not in change.taken]
            return [None] * len(change.additions)
