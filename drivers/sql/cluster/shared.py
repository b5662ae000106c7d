"""The contract of `drivers/shared.py` on PostgreSQL. Beside the pool of the driver, which journals use, it has three connections."""

# many-machines §5, §13

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial

from drivers import StorageError
from drivers.shared import (
    FrameListener,
    JournalRows,
    LeaseRow,
    NodeRow,
    Shared,
    StandbySettings,
    TransferMark,
    TransferRow,
    channel_of,
)
from drivers.sql.boundedconnection import BoundedConnection
from drivers.sql.cluster import frames, journal, leases, nodes
from drivers.sql.cluster.connecting import SideConnections, identity
from drivers.sql.cluster.listener import NotificationListener, RowListener
from drivers.sql.cluster.standstill import StandstillEnder
from drivers.sql.fences import Fence
from drivers.sql.postgresengine import PostgresEngine
from drivers.sql.session import DatabaseSession

STANDBY = "SELECT current_setting('synchronous_standby_names'), setting FROM pg_settings WHERE name='synchronous_commit'"
CLOCK = "SELECT EXTRACT(EPOCH FROM clock_timestamp())::double precision"
ELSEWHERE = "[cluster] url names another database than [storage] url; it must be another way to the same one"


class PostgresShared(Shared):
    """One process's part in what the gateways of a domain share."""

    def __init__(
        self, engine: PostgresEngine, domain: str, connections: SideConnections, *, notify: bool, poll: float, lease: float
    ) -> None:
        """`connections`: to the same database as the engine's, perhaps by another way."""
        self._engine, self._domain, self._connections = engine, domain, connections
        self._notifies, self._poll, self._lease = notify, poll, lease
        # neither waits for the other: a renewal for frames least of all
        self._keeper = connections.session(lease / 3)
        self._sender = connections.session(lease)
        self._standstill = StandstillEnder(self._sender.run, connections.standstill)
        self._sweep = frames.Sweep()
        self._holding: BoundedConnection | None = None  # the connection whose session has the locks
        self._held: set[str] = set()

    def check(self) -> None:
        if self._connections.identity() != self._engine.read(identity):
            raise StorageError(ELSEWHERE, lasting=True)

    def enter(self, own: NodeRow) -> NodeRow | None:
        before = self._keeper.run(lambda session: nodes.enter(session, self._domain, own), seconds=self._lease)
        if not self._engine.read(lambda session: nodes.is_there(session, self._domain, own)):
            raise StorageError(ELSEWHERE, lasting=True)
        return before

    def beat(self, own: NodeRow) -> bool:
        return self._keeper.run(lambda session: nodes.beat(session, self._domain, own))

    def nodes(self) -> list[NodeRow]:
        return self._keeper.run(lambda session: nodes.all_of(session, self._domain))

    def forget(self, node: str, seen: NodeRow) -> bool:
        def work(session: DatabaseSession) -> bool:
            if not nodes.forget(session, self._domain, node, seen):
                return False
            frames.forget(session, channel_of(self._domain, seen.run))
            return True

        return self._keeper.run(work, whole=True)

    def leases(self) -> dict[str, LeaseRow]:
        return self._keeper.run(leases.all_of)

    def take(self, hosted: str, node: str, run: str, seen: LeaseRow | None) -> int | None:
        def work(session: DatabaseSession) -> int | None:
            with self._standstill.ending(session):
                return leases.take(session, hosted, node, run, seen)

        return self._keeper.run(work, whole=True, seconds=self._lease)

    def renew(self, hosted: str, run: str, epoch: int) -> bool:
        return self._keeper.run(lambda session: leases.renew(session, hosted, run, epoch))

    def release(self, hosted: str, run: str, epoch: int) -> None:
        self._keeper.run(lambda session: leases.release(session, hosted, run, epoch))

    def hold_lock(self, hosted: str) -> bool:
        def hold(connection: BoundedConnection, session: DatabaseSession) -> bool:
            if connection is not self._holding:
                self._holding, self._held = connection, set()
            if hosted not in self._held and leases.hold(session, hosted):
                self._held.add(hosted)
            return hosted in self._held

        return self._notifies and self._keeper.with_connection(hold)

    def lock_is_free(self, hosted: str) -> bool:
        def look(connection: BoundedConnection, session: DatabaseSession) -> bool:
            own = connection is self._holding and hosted in self._held
            return not own and leases.is_free(session, hosted)

        return self._notifies and self._keeper.with_connection(look)

    def free_lock(self, hosted: str) -> None:
        def free(connection: BoundedConnection, session: DatabaseSession) -> None:
            if connection is self._holding and hosted in self._held:
                leases.free(session, hosted)
                self._held.discard(hosted)

        if self._notifies:
            self._keeper.with_connection(free)

    def fence(self, hosted: str, run: str, epoch: int, hosts: Collection[str], on_lost: Callable[[], None]) -> None:
        self._engine.fences.put_up(Fence(hosted, run, epoch, frozenset(hosts), on_lost))

    def unfence(self, hosted: str) -> None:
        self._engine.fences.take_down(hosted)

    def journal(self, name: str, hosted: str = "") -> JournalRows:
        return journal.PostgresJournal(self._engine, name, hosted, self._keeper.require)

    def journal_sizes(self) -> dict[str, int]:
        self._keeper.require()
        return self._engine.read(journal.sizes)

    def transfers(self, hosted: str, most: int = 256) -> list[TransferRow]:
        self._keeper.require()
        return self._engine.read(partial(journal.transfers, hosted=hosted, most=most))

    def transfer_marks(self, hosted: str) -> list[TransferMark]:
        self._keeper.require()
        return self._engine.read(partial(journal.transfer_marks, hosted=hosted))

    def listen(self, channels: Sequence[str]) -> FrameListener:
        if self._notifies:
            return NotificationListener(self._connections, channels, self._lease / 3)
        return RowListener(self._connections, channels, self._lease / 3, self._poll)

    def notify(self, sent: Sequence[tuple[str, str]]) -> None:
        def work(session: DatabaseSession) -> None:
            if not self._notifies:
                frames.leave(session, self._domain, sent)
            elif not frames.notify(session, sent):
                return
            self._sweep.sweep(session)

        if sent:
            self._sender.run(work, whole=not self._notifies or any(frames.is_long(text) for _, text in sent))

    def standby_settings(self) -> StandbySettings:
        return StandbySettings(*self._engine.read(lambda session: session.rows(STANDBY))[0])

    def clock(self) -> float:
        return float(self._keeper.run(lambda session: session.rows(CLOCK))[0][0])

    def close(self) -> None:
        self._keeper.close()
        self._sender.close()
