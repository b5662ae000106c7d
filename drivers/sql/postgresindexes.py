"""Indexes of ours that a former version, or Prosody, has not made in a PostgreSQL database.

In a large table one takes seconds, or minutes, during which nobody could write. So it is made by a thread, `CONCURRENTLY`: readers find
what they look for without it meanwhile, slowly, and everybody goes on writing.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence

import psycopg

from drivers.sql import schema
from drivers.sql.postgresschema import names
from drivers.sql.postgressession import Connection, PostgresSession, is_pooled

log = logging.getLogger("xmpp_rest.storage")
LARGE = 100_000
"""Rows of a table from which on its indexes are made by a thread; of fewer it takes 0.2 s."""
IN_PROGRESS = "SELECT 1 FROM pg_stat_progress_create_index WHERE datname=current_database() LIMIT 1"
AGAIN = (0.2, 1.0)
"""Seconds after which to look again whether another process still makes an index: two at once would wait for each other."""
NOT_FOR_US = frozenset({"42501", "0A000", "42601", "42704", "42P01"})
"""insufficient_privilege: the tables are another user's; or what another engine has not."""


class PostgresIndexes:
    """Completes the indexes of one storage."""

    def __init__(self, connect: Callable[[], Connection], name: str) -> None:
        self._connect, self._name = connect, name
        self.making: threading.Thread | None = None

    def complete(self, connection: Connection, there: Mapping[str, bool]) -> None:
        """Make what is missing: now, or in a large table by a thread. `there`: the names of indexes, and whether they are valid."""
        session = PostgresSession(connection)
        missing = [name for name in schema.INDEXES if name.startswith(schema.OURS) and not there.get(name)]
        large = [name for name in missing if self._is_large(session, schema.INDEXES[name].table)]
        for name in set(missing) - set(large):
            self._run(connection, schema.create_index(name))
        former = [name for name in schema.FORMER if name in there]
        if large:
            self.making = threading.Thread(target=self._make, args=(large, former), daemon=True, name="indexes of PostgreSQL")
            self.making.start()
        else:
            self._drop(connection, former)

    @staticmethod
    def _is_large(session: PostgresSession, table: str) -> bool:
        return bool(session.rows(f'SELECT 1 FROM "{table}" LIMIT 1 OFFSET {LARGE}'))  # noqa: S608

    def _make(self, missing: Sequence[str], former: Sequence[str]) -> None:
        try:
            with self._connect() as connection:
                if not is_pooled(connection):
                    connection.execute("SET statement_timeout = 0")
                for name in missing:
                    self._make_one(connection, name)
                self._drop(connection, former)
        except psycopg.Error as e:
            log.warning("%s: an index could not be made, and some queries are slow: %s", self._name, e)

    def _make_one(self, connection: Connection, name: str) -> None:
        """Make an index, unless another process has made it meanwhile."""
        session = PostgresSession(connection)
        while True:
            while _is_in_progress(session):
                time.sleep(random.uniform(*AGAIN))  # noqa: S311
            there = names(session)
            if there.get(name):
                return
            log.info("%s: making the index %s, without which some queries are slow; takes 5 s for 1,000,000 rows", self._name, name)
            try:
                if name in there:  # left by one that was interrupted
                    self._run(connection, f'DROP INDEX CONCURRENTLY IF EXISTS "{name}"')
                self._run(connection, schema.create_index(name).replace("INDEX IF", "INDEX CONCURRENTLY IF", 1))
                return
            except psycopg.errors.DeadlockDetected:  # with another process that began at the same time
                time.sleep(random.uniform(*AGAIN))  # noqa: S311

    def _drop(self, connection: Connection, former: Sequence[str]) -> None:
        for name in former:
            self._run(connection, f'DROP INDEX CONCURRENTLY IF EXISTS "{name}"')

    def _run(self, connection: Connection, sql: str) -> None:
        try:
            connection.execute(sql.replace("COLLATE BINARY", 'COLLATE "C"').encode())
        except psycopg.Error as e:
            if e.sqlstate not in NOT_FOR_US and e.sqlstate not in ("23505", "42P07", "42710"):  # another process has made it meanwhile
                raise
            log.warning("%s: an index could not be made, and some queries are slow: %s", self._name, e)


def _is_in_progress(session: PostgresSession) -> bool:
    """Whether an index of this database is being made, as far as the engine tells."""
    try:
        return bool(session.rows(IN_PROGRESS))
    except psycopg.Error:  # another engine, without this view
        return False
