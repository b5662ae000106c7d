"""The PostgreSQL engine: makes the tables, and runs transactions, one writer of a store at a time, and again after a conflict."""

from __future__ import annotations

import logging
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg_pool import ConnectionPool, PoolTimeout

from drivers import BadValue, StorageError
from drivers.names import Key
from drivers.sql.postgresschema import TABLES, THERE, has_trigger, make_missing, own_parts
from drivers.sql.session import DatabaseSession, Engine, Row

log = logging.getLogger(__name__)
T = TypeVar("T")
Connection = psycopg.Connection[tuple[Any, ...]]
BUSY = 30.0
"""Seconds that a write waits for other writers of the same store, and that a transaction is run again after conflicts."""
CONNECT = 5.0
"""Seconds that a call waits for a connection."""
POOL = 10
"""Connections per process at most."""
IDLE = 300.0  # seconds until an unused connection is closed
PAUSE = (0.002, 0.05)  # seconds before a transaction is run again
AGAIN = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected: nothing was written
UNIQUE = frozenset({"prosody_unique_index", "prosodyarchive_index"})
"""Indexes whose violation (23505, unique_violation) shows a row of a writer without locks, such as a running Prosody."""
NOT_FOR_US = frozenset({"42501", "0A000", "42601", "42704"})
"""insufficient_privilege; feature_not_supported, syntax_error, undefined_object: of engines without triggers"""
CREATED_MEANWHILE = frozenset({"23505", "42P07", "42710"})

LOCK = 'SELECT 1 FROM "xmpprest_lock" WHERE "host"=? AND "user"=? AND "store"=? FOR UPDATE'
NEW_LOCK = 'INSERT INTO "xmpprest_lock" ("host", "user", "store") VALUES (?, ?, ?) ON CONFLICT DO NOTHING'
FORGET = 'DELETE FROM "xmpprest_lock" WHERE "host"=? AND "user"=?'

SENTENCES = {
    "25006": "the database is read-only",
    "28": "the database refused the user or the password",
    "3D": "there is no such database",
    "42501": "the user may not read or write the tables",
    "42": "the tables are not those of this storage",
    "53100": "the database has no space left",
    "53": "the database has run out of something",
    "55P03": f"others have been writing the same store for {BUSY:.0f} s",
    "57014": "the database took too long",
    "57P": "the database is being shut down",
    "08": "the database cannot be reached, or its connection was lost",
}
LASTING = ("28", "3D")
"""Errors that do not go away by waiting."""
REFUSALS = {
    "3D": re.compile(r'FATAL: +database ".*" does not exist'),
    "28": re.compile(r'FATAL: +(role ".*" does not exist|password authentication failed|no pg_hba\.conf entry)'),
}
"""The server's English texts for refused connections; libpq has no code for them."""


def _refusal(text: str) -> str:
    return next((code for code, said in REFUSALS.items() if said.search(text)), "08")


@lru_cache(maxsize=256)
def _statement(sql: str) -> bytes:
    return sql.replace("?", "%s").replace("COLLATE BINARY", 'COLLATE "C"').encode()


class _PostgresSession(DatabaseSession):
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, *parameters: Any) -> list[Row]:
        return self._connection.execute(_statement(sql), parameters).fetchall()

    def run(self, sql: str, *parameters: Any) -> int:
        return self._connection.execute(_statement(sql), parameters).rowcount

    def many(self, sql: str, rows: Iterable[Row]) -> None:
        with self._connection.cursor() as cursor:
            cursor.executemany(_statement(sql), rows)

    def copy(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        names = ", ".join(f'"{column}"' for column in columns)
        with self._connection.cursor() as cursor, cursor.copy(f'COPY "{table}" ({names}) FROM STDIN'.encode()) as copy:
            for row in rows:
                copy.write_row(row)


class PostgresEngine(Engine):
    """A pool of connections per process, opened by the first call."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        self._conninfo = make_conninfo(**parameters)
        self._name = f"PostgreSQL database {parameters.get('dbname', '')!r} at {parameters.get('host', 'localhost')}"
        # by process id: a connection must not be used after a fork
        self._pools: dict[int, ConnectionPool[Connection]] = {}
        self._opening: dict[int, threading.Lock] = {}
        self._closed = False
        self._read_only = False
        self.has_summaries = False
        self._writing = threading.local()

    def read(self, work: Callable[[DatabaseSession], T]) -> T:
        return self._again(lambda connection: work(_PostgresSession(connection)))

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
            return self._again(lambda connection: _transaction(connection, locked))
        finally:
            self._writing.now = False

    def bulk_write(self, work: Callable[[DatabaseSession], None]) -> None:
        self._again(lambda connection: _transaction(connection, work))

    def forget(self, key: Key) -> None:
        """Remove the lock rows of a user's stores."""
        self._again(lambda connection: _PostgresSession(connection).run(FORGET, key.host, key.user))

    def look(self, sql: str, table: str) -> list[Row]:
        """The rows of a query of one table, if that table exists; makes no tables."""
        with self._errors(), psycopg.connect(self._conninfo, autocommit=True, prepare_threshold=None) as connection:
            session = _PostgresSession(connection)
            return session.rows(sql) if session.rows("SELECT 1 WHERE to_regclass(?) IS NOT NULL", table) else []

    def exists(self) -> bool:
        with self._errors(), psycopg.connect(self._conninfo, autocommit=True, prepare_threshold=None) as connection:
            return "prosody" in {name for (name,) in _PostgresSession(connection).rows(THERE)}

    def read_only(self) -> None:
        self._read_only = True

    def close(self) -> None:
        self._closed = True
        pool = self._pools.pop(os.getpid(), None)
        if pool is not None:
            pool.close()

    def _again(self, attempt: Callable[[Connection], T]) -> T:
        """Run an attempt, and run it again after a conflict."""
        deadline = time.monotonic() + BUSY
        while True:
            try:
                with self._errors(), self._pool().connection() as connection:
                    return attempt(connection)
            except _Conflict as e:
                if time.monotonic() > deadline:
                    sentence = f"others kept writing the same rows for {BUSY:.0f} s"
                    raise StorageError(f"{self._name}: {sentence}", told=sentence) from e
            time.sleep(random.uniform(*PAUSE))  # noqa: S311

    def _pool(self) -> ConnectionPool[Connection]:
        pool = self._pools.get(os.getpid())
        if pool is not None:
            return pool
        if self._closed:
            raise StorageError(f"{self._name}: the storage has been closed", told="the storage has been closed")
        with self._opening.setdefault(os.getpid(), threading.Lock()):
            if os.getpid() not in self._pools:
                if not self._read_only:
                    self._ensure_schema()
                pool = self._open()
                with suppress(psycopg.Error), pool.connection() as connection:
                    self.has_summaries = has_trigger(_PostgresSession(connection))
                self._pools[os.getpid()] = pool
            return self._pools[os.getpid()]

    def _open(self) -> ConnectionPool[Connection]:
        return ConnectionPool(
            self._conninfo,
            kwargs={"autocommit": True, "prepare_threshold": None},
            min_size=0,
            max_size=POOL,
            max_idle=IDLE,
            timeout=CONNECT,
            configure=_configure_to_read if self._read_only else _configure,
            check=ConnectionPool.check_connection,
            open=True,
        )

    def _ensure_schema(self) -> None:
        # without the pool, which would retry until its timeout if the database refuses
        with psycopg.connect(self._conninfo, autocommit=True, prepare_threshold=None) as connection:
            try:
                _transaction(connection, make_missing)
            except psycopg.Error as e:
                if e.sqlstate not in CREATED_MEANWHILE:
                    raise
                _transaction(connection, make_missing)
            for statements in own_parts(_PostgresSession(connection)):
                try:
                    _transaction(connection, lambda session, some=statements: [session.run(sql) for sql in some])  # type: ignore[misc]
                except psycopg.Error as e:  # the tables may be another user's, and another process may be making the same
                    if e.sqlstate not in NOT_FOR_US and e.sqlstate not in CREATED_MEANWHILE:
                        raise
                    log.warning("%s: an index or trigger could not be made, and some queries are slow: %s", self._name, e)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except PoolTimeout as e:
            sentence = f"no connection could be had for {CONNECT:.0f} s"
            raise StorageError(f"{self._name}: {sentence}", told=sentence) from e
        except psycopg.DataError as e:
            raise BadValue(f"the database cannot keep the value: {e}") from e
        except psycopg.Error as e:
            if e.sqlstate in AGAIN or (e.sqlstate == "23505" and e.diag.constraint_name in UNIQUE):
                raise _Conflict from e
            code = e.sqlstate or _refusal(str(e))
            sentence = _sentence(code)
            raise StorageError(f"{self._name}: {sentence} ({e})", told=sentence, lasting=code[:2] in LASTING) from e


class _Conflict(Exception):
    """The database aborted a transaction."""


def _sentence(state: str) -> str:
    return next((SENTENCES[state[:n]] for n in (5, 3, 2) if state[:n] in SENTENCES), "the database refused")


def _configure(connection: Connection) -> None:
    """Let no statement wait forever."""
    for setting in ("lock_timeout", "statement_timeout"):
        with suppress(psycopg.Error):  # an engine that lacks one has its own limit
            connection.execute(f"SET {setting} = {BUSY * 1000:.0f}".encode())


def _configure_to_read(connection: Connection) -> None:
    """Make temporary empty tables, of this connection alone, for those that the database lacks."""
    _configure(connection)
    there = {name for (name,) in _PostgresSession(connection).rows(THERE)}
    for name, columns in TABLES.items():
        if name not in there:
            connection.execute(f'CREATE TEMP TABLE "{name}" ({columns})'.encode())


def _transaction(connection: Connection, work: Callable[[DatabaseSession], T]) -> T:
    with connection.transaction():
        return work(_PostgresSession(connection))
