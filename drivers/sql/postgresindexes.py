"""Indexes of ours that a former version, or Prosody, has not made in a PostgreSQL database.

In a large table one takes seconds, or minutes, during which nobody could write. So it is made by a thread, `CONCURRENTLY`: readers find
what they look for without it meanwhile, slowly, and everybody goes on writing.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence

import psycopg

from drivers.sql import schema
from drivers.sql.postgressession import Connection, PostgresSession, is_pooled

log = logging.getLogger(__name__)
LARGE = 100_000
"""Rows of a table from which on its indexes are made by a thread; of fewer it takes 0.2 s."""
IN_PROGRESS = "SELECT 1 FROM pg_stat_progress_create_index LIMIT 1"
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
            self.making = threading.Thread(target=self._make, args=(large, former, there), daemon=True, name="indexes of PostgreSQL")
            self.making.start()
        else:
            self._drop(connection, former)

    @staticmethod
    def _is_large(session: PostgresSession, table: str) -> bool:
        return bool(session.rows(f'SELECT 1 FROM "{table}" LIMIT 1 OFFSET {LARGE}'))  # noqa: S608

    def _make(self, names: Sequence[str], former: Sequence[str], there: Mapping[str, bool]) -> None:
        try:
            with self._connect() as connection:
                if not is_pooled(connection):
                    connection.execute("SET statement_timeout = 0")
                for name in names:
                    log.info("%s: making the index %s, without which some queries are slow; takes 5 s for 1,000,000 rows", self._name, name)
                    if name in there:  # left by one that was interrupted, or another process is making it now
                        if PostgresSession(connection).rows(IN_PROGRESS):
                            continue
                        self._run(connection, f'DROP INDEX CONCURRENTLY IF EXISTS "{name}"')
                    self._run(connection, schema.create_index(name).replace("INDEX IF", "INDEX CONCURRENTLY IF", 1))
                self._drop(connection, former)
        except psycopg.Error as e:
            log.warning("%s: an index could not be made, and some queries are slow: %s", self._name, e)

    def _drop(self, connection: Connection, names: Sequence[str]) -> None:
        for name in names:
            self._run(connection, f'DROP INDEX CONCURRENTLY IF EXISTS "{name}"')

    def _run(self, connection: Connection, sql: str) -> None:
        try:
            connection.execute(sql.replace("COLLATE BINARY", 'COLLATE "C"').encode())
        except psycopg.Error as e:
            if e.sqlstate not in NOT_FOR_US and e.sqlstate not in ("23505", "42P07", "42710"):  # another process has made it meanwhile
                raise
            log.warning("%s: an index could not be made, and some queries are slow: %s", self._name, e)
