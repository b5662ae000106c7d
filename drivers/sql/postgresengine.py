"""The PostgreSQL engine: runs transactions, one writer of a store at a time, and again after a conflict."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool, PoolTimeout

from drivers import CommitInDoubt, StorageError
from drivers.names import Key
from drivers.observed import READ, WRITE, observed, timed
from drivers.sql.boundedconnection import BoundedConnection
from drivers.sql.commitwatch import CommitWatch
from drivers.sql.fences import Fences
from drivers.sql.postgreserrors import READ_ONLY, UNKNOWN, OutcomeUnknown, TransactionConflict, is_conflict, storage_error
from drivers.sql.postgresindexes import PostgresIndexes
from drivers.sql.postgresschema import TABLES, ensure_schema, ensure_triggers, has_triggers, names
from drivers.sql.postgressession import (
    NOTHING_ABSENT,
    Absent,
    Connection,
    PostgresSession,
    bound_standstill,
    bound_waits,
    empty_table,
    is_pooled,
    transaction,
)
from drivers.sql.session import DatabaseSession, Engine, Row

T = TypeVar("T")
CONNECT = 5.0
"""Seconds that a call waits for a connection."""
POOL = 10
"""Connections per process at most."""
SILENCE = 3.0
"""Seconds after which a database that should have said that it took too long, or confirmed the end of a commit's wait, is given up."""
IDLE = 300.0  # seconds until an unused connection is closed
PAUSE = (0.002, 0.05)  # seconds before a transaction is run again

LOCK = 'SELECT 1 FROM "xmpprest_lock" WHERE "host"=? AND "user"=? AND "store"=? FOR UPDATE'
NEW_LOCK = 'INSERT INTO "xmpprest_lock" ("host", "user", "store") VALUES (?, ?, ?) ON CONFLICT DO NOTHING'
FORGET = 'DELETE FROM "xmpprest_lock" WHERE "host"=? AND "user"=?'


class PostgresEngine(Engine):
    """A pool of connections per process, opened by the first call."""

    def __init__(self, parameters: dict[str, Any], timeout: float) -> None:
        """`timeout`: seconds that a statement may take, and that a write waits for others and is run again after conflicts."""
        self._conninfo = make_conninfo(**parameters)
        self.fences = Fences()
        self._name = f"PostgreSQL database {parameters.get('dbname', '')!r} at {parameters.get('host', 'localhost')}"
        self._timeout = timeout
        # by process id: a connection must not be used after a fork
        self._pools: dict[int, ConnectionPool[Connection]] = {}
        self._opening: dict[int, threading.Lock] = {}
        self._watches: dict[int, CommitWatch] = {}
        self._closed = False
        self._read_only = False
        self._pooled = False
        self._standstill: float | None = None
        self._absent = NOTHING_ABSENT
        self.has_summaries = False
        self.indexes = PostgresIndexes(self._connect, self._name)
        self._writing = threading.local()

    def read(self, work: Callable[[DatabaseSession], T]) -> T:
        def attempt(connection: Connection) -> T:
            return work(PostgresSession(connection, self._absent))

        return self._again(lambda connection: self._transaction(connection, attempt) if self._pooled else attempt(connection), READ)

    def write(self, key: Key, work: Callable[[DatabaseSession], T]) -> T:
        def locked(session: DatabaseSession) -> T:
            # more than once only if the row was made, and removed by a purge, between the two statements
            while not (session.rows(LOCK, *key) or session.run(NEW_LOCK, *key)):
                continue
            return work(session)

        if getattr(self._writing, "now", False):
            raise StorageError("a function given to update() must not write to the same storage")
        self._writing.now = True
        try:
            return self.change(self.fences.around(locked, (key.host,)))
        finally:
            self._writing.now = False

    def bulk_write(self, work: Callable[[DatabaseSession], None]) -> None:
        self.change(self.fences.around(work, None))

    def forget(self, key: Key) -> None:
        """Remove the lock rows of a user's stores."""
        self.change(self.fences.around(lambda session: session.run(FORGET, key.host, key.user), (key.host,)))

    def change(self, work: Callable[[DatabaseSession], T]) -> T:
        """Run `work` in a transaction, without adding fences; it is durable at return. It may be run again."""
        return self._again(partial(self._committed, work=lambda connection: work(PostgresSession(connection))), WRITE)

    def look(self, sql: str, table: str) -> list[Row]:
        """The rows of a query of one table, if that table exists; makes no tables."""
        with self._errors(), self._connect() as connection:
            session = PostgresSession(connection)
            return session.rows(sql) if session.rows("SELECT 1 WHERE to_regclass(?) IS NOT NULL", table) else []

    def make(self, ensure: Callable[[Connection], object]) -> None:
        """Make what is missing beside the content."""
        with self._errors(), self._connect() as connection:
            ensure(connection)

    def exists(self) -> bool:
        with self._errors(), self._connect() as connection:
            return "prosody" in names(PostgresSession(connection))

    def read_only(self) -> None:
        self._read_only = True

    def in_cluster(self, parameters: dict[str, Any], standstill: float, timeout: float) -> None:
        """From now on connect with these parameters, and let the database end transactions that do nothing for so many seconds.

        `timeout`: another one than the constructor's, and also how long an answer is waited for if the database says nothing at all.
        """
        self._conninfo = make_conninfo(**parameters)
        self._standstill, self._timeout = standstill, timeout

    def close(self) -> None:
        self._closed = True
        pool = self._pools.pop(os.getpid(), None)
        if pool is not None:
            pool.close()
        if (watch := self._watches.pop(os.getpid(), None)) is not None:
            watch.stop()

    def _committed(self, connection: Connection, work: Callable[[Connection], T]) -> T:
        with timed(self.observer):
            return self._transaction(connection, work)

    def _transaction(self, connection: Connection, work: Callable[[Connection], T]) -> T:
        def bounded(connection: Connection) -> T:
            if self._pooled:
                bound_waits(connection, self._timeout, local=True)
                if self._standstill is not None:
                    bound_standstill(connection, self._standstill, local=True)
            return work(connection)

        return transaction(connection, bounded, self._watch)

    @property
    def _watch(self) -> CommitWatch:
        """That of this process."""
        return self._watches.get(os.getpid()) or self._watches.setdefault(os.getpid(), CommitWatch(self._timeout))

    def _again(self, attempt: Callable[[Connection], T], operation: str) -> T:
        """Run an attempt, and run it again after a conflict; never if it may have succeeded."""
        with observed(self.observer, operation):
            return self._until_done(attempt)

    def _until_done(self, attempt: Callable[[Connection], T]) -> T:
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                with self._errors(), self._pool().connection() as connection, _left_if_read_only(connection):
                    return attempt(connection)
            except TransactionConflict as e:
                if time.monotonic() > deadline:
                    sentence = f"others kept writing the same rows for {self._timeout:.0f} s"
                    raise StorageError(f"{self._name}: {sentence}", told=sentence) from e
            time.sleep(random.uniform(*PAUSE))  # noqa: S311

    def _connect(self) -> Connection:
        """A connection of its own, for what is done at the start: a pool would try again until its timeout if the database refuses."""
        return psycopg.connect(self._conninfo, autocommit=True, prepare_threshold=None)

    def _pool(self) -> ConnectionPool[Connection]:
        pool = self._pools.get(os.getpid())
        if pool is not None:
            return pool
        if self._closed:
            raise StorageError(f"{self._name}: the storage has been closed", told="the storage has been closed")
        with self._opening.setdefault(os.getpid(), threading.Lock()):
            if os.getpid() not in self._pools:
                with self._connect() as connection:
                    self._prepare(connection)
                self._pools[os.getpid()] = self._open()
            return self._pools[os.getpid()]

    def _prepare(self, connection: Connection) -> None:
        """Learn what is there, and make what is missing."""
        self._pooled = is_pooled(connection)
        if self._read_only:
            self._absent = _absent(connection)
        else:
            self.indexes.complete(connection, ensure_schema(connection))
        self.has_summaries = has_triggers(PostgresSession(connection)) if self._read_only else ensure_triggers(connection)

    def _open(self) -> ConnectionPool[Connection]:
        return ConnectionPool(
            self._conninfo,
            kwargs={"autocommit": True, "prepare_threshold": None},
            min_size=0,
            max_size=POOL,
            max_idle=IDLE,
            timeout=CONNECT,
            # longer pauses between attempts would outlast a failover
            reconnect_timeout=CONNECT,
            configure=self._configure,
            check=ConnectionPool.check_connection,
            open=True,
            connection_class=psycopg.Connection if self._standstill is None else BoundedConnection,
        )

    def _configure(self, connection: Connection) -> None:
        if isinstance(connection, BoundedConnection):
            connection.limit = self._timeout + SILENCE
        if is_pooled(connection):
            self._pooled = True
        else:
            bound_waits(connection, self._timeout, local=False)
            if self._standstill is not None:
                bound_standstill(connection, self._standstill, local=False)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (psycopg.Error, OutcomeUnknown) as e:
            raise self.translated(e) from e

    def translated(self, error: psycopg.Error | OutcomeUnknown) -> Exception:
        """The error of the contract, or TransactionConflict."""
        if isinstance(error, PoolTimeout):
            sentence = f"no connection could be had for {CONNECT:.0f} s"
            return StorageError(f"{self._name}: {sentence}", told=sentence)
        if isinstance(error, OutcomeUnknown):
            return CommitInDoubt(f"{self._name}: {UNKNOWN} ({error})", told=UNKNOWN)
        return TransactionConflict() if is_conflict(error) else storage_error(self._name, error, self._timeout)


@contextmanager
def _left_if_read_only(connection: Connection) -> Iterator[None]:
    """Close a connection that turns out to be to a standby, so that the next one is made to the primary."""
    try:
        yield
    except psycopg.Error as e:
        if e.sqlstate == READ_ONLY:
            with suppress(psycopg.Error):
                connection.close()
        raise


def _absent(connection: Connection) -> Absent:
    """The tables that the database lacks."""
    there = names(PostgresSession(connection))
    return {name: empty_table(columns) for name, columns in TABLES.items() if name not in there}
