"""How connections outside of the pool are made: to the storage's database, or by the direct way that `[cluster] url` names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import psycopg

from drivers import StorageError
from drivers.sql.boundedconnection import BoundedConnection
from drivers.sql.cluster.schema import ensure_tables
from drivers.sql.cluster.session import BoundedSession
from drivers.sql.postgreserrors import OutcomeUnknown
from drivers.sql.postgressession import PostgresSession, bound_standstill, is_pooled, transaction
from drivers.sql.session import DatabaseSession

T = TypeVar("T")
PREPARING = 10.0
"""Seconds in which the tables must have been made, and a session's settings."""
# beats and frames are not promises: a commit of theirs waits for no disk and no standby
UNSYNCED = b"SET synchronous_commit = off"
POOLED = "a pooler is in between, which has neither LISTEN nor locks of a session: [cluster] url must name a direct way, or notify be no"

IDENTITY = "SELECT system_identifier::text || ' ' || current_database() FROM pg_control_system()"  # a standby has that of its primary
CONTROLLED = "SELECT 1 FROM pg_proc WHERE proname='pg_control_system' AND has_function_privilege(oid, 'execute')"


def identity(session: DatabaseSession) -> str:
    """What tells the database from all others; "" where it does not say."""
    return str(session.rows(IDENTITY)[0][0]) if session.rows(CONTROLLED) else ""


class SideConnections:
    """Makes connections for one process's part in what several machines share."""

    def __init__(
        self, conninfo: str, translate: Callable[[psycopg.Error | OutcomeUnknown], Exception], *, notify: bool, standstill: float
    ) -> None:
        """`standstill`: seconds after which a session that says nothing within a transaction is ended."""
        self._conninfo = conninfo
        self._translate = translate
        self._notify = notify
        self.standstill = standstill
        self._pooled = False

    def connect(self) -> BoundedConnection:
        """A connection with its settings, to a database with its tables. Raises psycopg.Error, StorageError."""
        connection = BoundedConnection.connect(self._conninfo, autocommit=True, prepare_threshold=None)
        try:
            with connection.ending(PREPARING):
                self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def identity(self) -> str:
        """Which database this way leads to; connects, and makes nothing. Raises StorageError."""
        try:
            with (
                BoundedConnection.connect(self._conninfo, autocommit=True, prepare_threshold=None) as connection,
                connection.ending(PREPARING),
            ):
                self._look(connection)
                return identity(PostgresSession(connection))
        except psycopg.Error as e:
            raise self.error(e) from e

    def _look(self, connection: BoundedConnection) -> None:
        self._pooled = is_pooled(connection)
        if self._pooled and self._notify:
            raise StorageError(POOLED, lasting=True)

    def _prepare(self, connection: BoundedConnection) -> None:
        self._look(connection)
        if not self._pooled:
            connection.execute(UNSYNCED)
            bound_standstill(connection, self.standstill, local=False)
        ensure_tables(connection)

    def error(self, error: psycopg.Error | OutcomeUnknown) -> StorageError:
        """The error of the contract. What fails here is not run again: its callers come back soon."""
        translated = self._translate(error)
        return translated if isinstance(translated, StorageError) else StorageError("others change the same rows")

    def session(self, seconds: float) -> SideSession:
        """A session whose calls take so long at most."""
        return SideSession(self, BoundedSession(self.connect, self.error, seconds))

    def run(self, connection: BoundedConnection, work: Callable[[DatabaseSession], T], *, whole: bool) -> T:
        """`work` on a connection; in one transaction if that is said."""
        if not whole and not self._pooled:
            return work(PostgresSession(connection))

        def unsynced(_: object) -> T:
            if self._pooled:
                connection.execute(UNSYNCED.replace(b"SET", b"SET LOCAL"))
                bound_standstill(connection, self.standstill, local=True)
            return work(PostgresSession(connection))

        return transaction(connection, unsynced)


class SideSession:
    """Statements on one connection outside of the pool, by any thread. Methods raise StorageError."""

    def __init__(self, connections: SideConnections, calls: BoundedSession) -> None:
        self._connections = connections
        self._calls = calls
        self._was_there = False

    def require(self) -> None:
        """Have connected once, so that the tables are there, which others use as well."""
        if not self._was_there:
            self._calls.call(lambda _: None)
            self._was_there = True

    def run(self, work: Callable[[DatabaseSession], T], *, whole: bool = False, seconds: float | None = None) -> T:
        """`work`, in one transaction if it is to be done as a whole."""
        return self._calls.call(lambda connection: self._connections.run(connection, work, whole=whole), seconds)

    def with_connection(self, work: Callable[[BoundedConnection, DatabaseSession], T]) -> T:
        """`work`, which also asks which connection this is: something of the session itself."""
        return self._calls.call(lambda connection: work(connection, PostgresSession(connection)))

    def close(self) -> None:
        self._calls.close()
