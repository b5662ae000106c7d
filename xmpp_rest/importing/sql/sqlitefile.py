"""A database in an SQLite file, which is only read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from xmpp_rest.importing.sources import BadSource, NoSource

BUSY = 30.0  # seconds that a reader waits for a server that writes
_CACHE = "PRAGMA cache_size = -20000"  # KiB; a sort larger than this goes to a file
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"


class SQLiteFile:
    """The file at `path`, as it was when it was opened. Raises BadSource if there is none, or it is none of SQLite's."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_file():
            raise NoSource(f"there is no file {path}")
        try:
            self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY, isolation_level=None)
        except sqlite3.Error as e:
            raise BadSource(f"the file {path} cannot be opened: {e}") from e
        try:
            self._connection.text_factory = _text
            self._connection.execute(_CACHE)
            self._connection.execute("BEGIN")
            self._tables = frozenset(name.lower() for (name,) in self._connection.execute(_TABLES))
        except sqlite3.Error as e:
            self._connection.close()
            raise BadSource(f"the file {path} cannot be read as an SQLite database: {e}") from e

    def columns(self, table: str) -> frozenset[str]:
        if table not in self._tables:
            return frozenset()
        return frozenset(row[1].lower() for row in self._connection.execute(f'PRAGMA table_info("{table}")'))

    def rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        try:
            with closing(self._connection.execute(sql)) as cursor:
                yield from cursor
        except sqlite3.Error as e:
            raise BadSource(f"the file {self._path} cannot be read: {e}") from e

    def close(self) -> None:
        self._connection.close()


def _text(data: bytes) -> str:
    """Text, even where another program has written bytes that are none."""
    return data.decode(errors="replace")
