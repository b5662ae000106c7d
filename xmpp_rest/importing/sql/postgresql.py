"""A PostgreSQL database, read in one transaction through cursors of the server, so that any number of rows takes little memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache
from typing import Any

from xmpp_rest.importing.sources import BadSource

BATCH = 2000  # rows that are fetched at a time
CONNECT = 10  # seconds
_COLUMNS = """SELECT lower(a.attname) FROM pg_attribute a
WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped"""


class PostgreSQL:
    """The database of a libpq URL, as it was when it was opened. Raises BadSource."""

    def __init__(self, url: str) -> None:
        try:
            import psycopg  # an extra: requirements-postgres.txt
        except ImportError as e:
            raise BadSource("for a PostgreSQL database the package psycopg is needed: pip install 'xmpp-rest[postgres]'") from e
        self._error = psycopg.Error
        self._names = itertools.count()
        try:
            self._connection = psycopg.connect(url, connect_timeout=CONNECT, client_encoding="utf8")
            self._connection.set_isolation_level(psycopg.IsolationLevel.REPEATABLE_READ)
            self._connection.set_read_only(True)
            self._connection.execute("SET LOCAL cursor_tuple_fraction = 1.0")  # all rows are wanted, not the first ones soon
        except psycopg.Error as e:
            raise BadSource(f"the database cannot be read: {str(e).strip()}") from e
        self.columns = cache(self._columns)

    def _columns(self, table: str) -> frozenset[str]:
        """The names of the columns, in small letters; none if there is no such table."""
        try:
            return frozenset(name for (name,) in self._connection.execute(_COLUMNS, (f'"{table}"',)))
        except self._error as e:
            raise BadSource(f"the database cannot be read: {str(e).strip()}") from e

    def rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        try:
            with self._connection.cursor(name=f"rows{next(self._names)}") as cursor:
                cursor.execute(sql.encode())
                while rows := cursor.fetchmany(BATCH):
                    yield from rows
        except self._error as e:
            raise BadSource(f"the database cannot be read: {str(e).strip()}") from e

    def close(self) -> None:
        self._connection.close()
