"""A dump of INSERT statements, read into a temporary SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from xmpp_rest.importing.sources import BadSource, NoSource
from xmpp_rest.importing.sql.sqlitefile import SQLiteFile
from xmpp_rest.importing.sql.statements import Insert, statements, writes_backslashes


class Dump:
    """The tables of these names in the dump at `path`. Raises NoSource, BadSource."""

    def __init__(self, path: Path, tables: Collection[str]) -> None:
        self._folder = TemporaryDirectory(prefix="xmpp-rest-import-")
        try:
            file = Path(self._folder.name) / "dump.sqlite"
            _fill(file, path, tables)
            self._database = SQLiteFile(file)
        except BaseException:
            self._folder.cleanup()
            raise

    def columns(self, table: str) -> frozenset[str]:
        return self._database.columns(table)

    def rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        return self._database.rows(sql)

    def close(self) -> None:
        self._database.close()
        self._folder.cleanup()


def _fill(file: Path, dump: Path, tables: Collection[str]) -> None:
    try:
        # "\n" alone ends a line: a text may have a carriage return
        with open(dump, encoding="utf-8", errors="replace", newline="\n") as lines:
            backslashes = writes_backslashes(lines)
            lines.seek(0)
            with closing(sqlite3.connect(file, isolation_level=None)) as connection:
                connection.execute("PRAGMA journal_mode = OFF")
                connection.execute("PRAGMA synchronous = OFF")
                connection.execute("BEGIN")
                known: dict[str, set[str]] = {}
                for insert in statements(lines, backslashes=backslashes):
                    if insert.table in tables:
                        _put(connection, insert, known.setdefault(insert.table, set()))
                connection.execute("COMMIT")
    except FileNotFoundError as e:
        raise NoSource(f"there is no file {dump}") from e
    except OSError as e:
        raise BadSource(f"the dump {dump} cannot be read: {e.strerror}") from e
    except sqlite3.Error as e:
        raise BadSource(f"the dump cannot be read into a temporary file (TMPDIR): {e}") from e
    if not known:
        raise BadSource(f"{dump} has no INSERT statement for a table of this server")


def _put(connection: sqlite3.Connection, insert: Insert, known: set[str]) -> None:
    for column in insert.columns:
        if '"' in column:
            raise BadSource(f"a column of {insert.table} has a double quote in its name")
        if column not in known:
            made = f'ALTER TABLE "{insert.table}" ADD COLUMN "{column}"' if known else f'CREATE TABLE "{insert.table}" ("{column}")'
            connection.execute(made)
            known.add(column)
    names = ", ".join(f'"{column}"' for column in insert.columns)
    signs = ", ".join("?" * len(insert.columns))
    connection.executemany(f'INSERT INTO "{insert.table}" ({names}) VALUES ({signs})', insert.rows)  # noqa: S608
