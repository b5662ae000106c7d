"""Statements on one connection of PostgreSQL, and transactions.

A pooler such as PgBouncer gives each transaction another connection to the server. There nothing may be kept from one transaction to the
next: no settings, no temporary tables, no prepared statements. So behind a pooler everything is a transaction, which begins with its own
settings.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import lru_cache
from typing import Any, TypeVar

import psycopg
from psycopg.errors import Diagnostic

from drivers.sql.commitwatch import CommitWatch
from drivers.sql.postgreserrors import OutcomeUnknown, leaves_doubt
from drivers.sql.session import DatabaseSession, Row

T = TypeVar("T")
Connection = psycopg.Connection[tuple[Any, ...]]
Absent = Mapping[str, str]
"""Tables that are not there, and may not be made: the query of an empty one for each."""
NOTHING_ABSENT: Absent = {}
RECURSIVE = "WITH RECURSIVE "


@lru_cache(maxsize=256)
def statement(sql: str) -> bytes:
    """A statement as psycopg takes it."""
    return sql.replace("%", "%%").replace("?", "%s").replace("COLLATE BINARY", 'COLLATE "C"').encode()


class PostgresSession(DatabaseSession):
    """One connection."""

    def __init__(self, connection: Connection, absent: Absent = NOTHING_ABSENT) -> None:
        self._connection = connection
        self._absent = absent

    def rows(self, sql: str, *parameters: Any) -> list[Row]:
        if self._absent:
            sql = self._without_absent(sql)
        return self._connection.execute(statement(sql), parameters).fetchall()

    def _without_absent(self, sql: str) -> str:
        """The query with empty tables in place of those that are not there: a name in WITH goes before one of a table."""
        empty = ", ".join(f'"{name}" AS ({query})' for name, query in self._absent.items())
        if sql.startswith(RECURSIVE):
            return f"{RECURSIVE}{empty}, {sql.removeprefix(RECURSIVE)}"
        return f"WITH {empty} {sql}"

    def run(self, sql: str, *parameters: Any) -> int:
        return self._connection.execute(statement(sql), parameters).rowcount

    def copy(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        names = ", ".join(f'"{column}"' for column in columns)
        with self._connection.cursor() as cursor, cursor.copy(f'COPY "{table}" ({names}) FROM STDIN'.encode()) as copy:
            for row in rows:
                copy.write_row(row)


def empty_table(columns: str) -> str:
    """The query of an empty table, for its definition in CREATE TABLE."""
    found = re.findall(r'("\w+") (BIGSERIAL|BIGINT|INTEGER|DOUBLE PRECISION|TEXT)', columns)
    values = ", ".join(f"NULL::{'BIGINT' if kind == 'BIGSERIAL' else kind} AS {name}" for name, kind in found)
    return f"SELECT {values} WHERE false"


def is_pooled(connection: Connection) -> bool:
    """Whether there is a pooler in between: then the server's process is not the one that was announced."""
    try:
        (pid,) = connection.execute("SELECT pg_backend_pid()").fetchall()[0]
    except psycopg.Error:  # an engine that knows no processes
        return True
    return bool(pid != connection.info.backend_pid)


def bound_waits(connection: Connection, seconds: float, *, local: bool) -> None:
    """Let no statement wait for longer: in this transaction (`local`), or on this connection."""
    _bound(connection, ("lock_timeout", "statement_timeout"), seconds, local=local)


def bound_standstill(connection: Connection, seconds: float, *, local: bool) -> None:
    """Have the database end a session that has begun a transaction and says nothing for longer: its process may stand still."""
    _bound(connection, ("idle_in_transaction_session_timeout",), seconds, local=local)


def _bound(connection: Connection, settings: Sequence[str], seconds: float, *, local: bool) -> None:
    each = [f"SET {'LOCAL ' if local else ''}{setting} = {seconds * 1000:.0f}" for setting in settings]
    if local:
        connection.execute("; ".join(each).encode())
        return
    for sql in each:
        with suppress(psycopg.Error):  # an engine that lacks one has its own limit
            connection.execute(sql.encode())


def transaction(connection: Connection, work: Callable[[Connection], T], watch: CommitWatch | None = None) -> T:
    """Run `work` in a transaction, and `watch` its commit. Raises OutcomeUnknown if it is unknown whether it was committed."""
    warnings: list[str] = []

    def notice(diagnostic: Diagnostic) -> None:  # what it has is gone after this call
        if diagnostic.severity_nonlocalized == "WARNING":
            warnings.append(str(diagnostic.message_primary))

    done = False
    try:
        with ExitStack() as committing, connection.transaction():
            result = work(connection)
            done = True
            connection.add_notice_handler(notice)
            if watch:
                committing.enter_context(watch.watching(connection))
    except psycopg.Error as e:
        if done and leaves_doubt(e):
            raise OutcomeUnknown(str(e)) from e
        raise
    finally:
        if done:
            connection.remove_notice_handler(notice)
    if warnings:  # how a server says that it did not wait for a synchronous standby any longer; the commit "succeeds"
        raise OutcomeUnknown("; ".join(warnings))
    return result
