"""A database, nodes and a clock that are simulated: leases alone, without threads and without waiting."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import cast

from drivers import StorageError
from drivers.shared import LeaseRow, NodeRow, Shared
from tests.cluster.settings import cluster_settings
from xmpp_rest.cluster.identity import NodeIdentity
from xmpp_rest.cluster.lease_keeper import LeaseKeeper
from xmpp_rest.incidents import Incidents
from xmpp_rest.processes.loss import Loss

HOSTED = "capulet.example"


class SimulatedDatabase:
    """What all nodes share: rows, and who holds the lock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.is_up = True
        self.rows: dict[str, NodeRow] = {}
        self.lease: LeaseRow | None = None
        self.lock: SimulatedShared | None = None

    def restart(self) -> None:
        self.lock = None


class SimulatedShared:
    """The sessions of one node with it."""

    def __init__(self, database: SimulatedDatabase) -> None:
        self._database = database
        self.is_cut = False
        self.fenced: tuple[str, int] | None = None
        self.on_lost: Callable[[], None] = lambda: None

    def _reach(self) -> SimulatedDatabase:
        if self.is_cut or not self._database.is_up:
            raise StorageError("the database cannot be reached")
        return self._database

    def break_session(self) -> None:
        """The database finds that the session is gone."""
        if self._database.lock is self:
            self._database.lock = None

    def enter(self, own: NodeRow) -> NodeRow | None:
        database = self._reach()
        former, database.rows[own.node] = database.rows.get(own.node), own
        return former

    def beat(self, own: NodeRow) -> bool:
        database = self._reach()
        if (row := database.rows.get(own.node)) is None or row.run != own.run:
            return False
        database.rows[own.node] = own
        return True

    def nodes(self) -> list[NodeRow]:
        return list(self._reach().rows.values())

    def forget(self, node: str, seen: NodeRow) -> bool:
        return self._reach().rows.pop(node, None) is not None

    def leases(self) -> dict[str, LeaseRow]:
        lease = self._reach().lease
        return {HOSTED: lease} if lease else {}

    def take(self, hosted: str, node: str, run: str, seen: LeaseRow | None) -> int | None:
        database = self._reach()
        if database.lease != seen:
            return None
        epoch = seen.epoch + 1 if seen else 1
        database.lease = LeaseRow(hosted, node, run, epoch, 0)
        return epoch

    def renew(self, hosted: str, run: str, epoch: int) -> bool:
        database = self._reach()
        lease = database.lease
        if lease is None or (lease.run, lease.epoch) != (run, epoch):
            return False
        database.lease = lease._replace(beat=lease.beat + 1)
        return True

    def release(self, hosted: str, run: str, epoch: int) -> None:
        database = self._reach()
        lease = database.lease
        if lease is not None and (lease.run, lease.epoch) == (run, epoch):
            database.lease = lease._replace(node="")

    def hold_lock(self, hosted: str) -> bool:
        database = self._reach()
        database.lock = database.lock or self
        return database.lock is self

    def lock_is_free(self, hosted: str) -> bool:
        return self._reach().lock is None

    def free_lock(self, hosted: str) -> None:
        if self._reach().lock is self:
            self._database.lock = None

    def fence(self, hosted: str, run: str, epoch: int, hosts: Collection[str], on_lost: Callable[[], None]) -> None:
        self.fenced, self.on_lost = (run, epoch), on_lost


class SimulatedNode:
    """One node: its keeper, and the clock of its machine, which starts at another time than those of others."""

    def __init__(self, database: SimulatedDatabase, name: str, offset: float = 0.0, folder: str = "", **settings: str) -> None:
        """`folder`: whose `node.id` it has; its own, unless that is given."""
        self.database = database
        self.name = name
        self.folder = folder or name
        self.offset = offset
        self.settings = cluster_settings(node=name, **settings)
        self.runs = 0
        self.losses: list[Loss] = []
        self.begin()

    def begin(self) -> None:
        """A new life, as after a loss or a restart."""
        self.runs += 1
        self.shared = SimulatedShared(self.database)
        identity = NodeIdentity(self.name, f"id of {self.folder}", f"{self.name}/{self.runs}")
        shared = cast("Shared", self.shared)
        self.keeper = LeaseKeeper(
            lambda: shared, HOSTED, (HOSTED,), identity, self.settings, dict, Incidents(), lambda: self.database.now + self.offset
        )
        self.keeper.on_loss(self.losses.append)

    def end(self) -> None:
        """It is killed."""
        self.shared.break_session()
        self.begin()


def pass_time(database: SimulatedDatabase, *nodes: SimulatedNode, seconds: float, step: float = 0.1) -> None:
    """Let the time pass, while these nodes look."""
    until = database.now + seconds
    while database.now < until:
        database.now += step
        for node in nodes:
            node.keeper.turn()
            node.keeper.expire()
