"""The tables and indexes of an SQLite storage, and the mode of its file."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Set
from contextlib import suppress
from pathlib import Path

from drivers.sql import schema

log = logging.getLogger("xmpp_rest.storage")
TABLES = {
    name: columns.format(serial="INTEGER PRIMARY KEY AUTOINCREMENT", key="INTEGER PRIMARY KEY", double="REAL NOT NULL")
    for name, columns in schema.TABLES.items()
}
TRIGGERS = {  # see drivers/sql/summary.py
    "xmpprest_archive_deleted": 'AFTER DELETE ON "prosodyarchive" BEGIN UPDATE "xmpprest_archive" SET "items"="items"-1 '
    'WHERE "host"=OLD."host" AND "user"=OLD."user" AND "store"=OLD."store" AND "upto">=OLD."sort_id"; END',
    "xmpprest_archive_moved": 'AFTER UPDATE OF "sort_id", "host", "user", "store", "when" ON "prosodyarchive" BEGIN '
    'DELETE FROM "xmpprest_archive" WHERE "host"=OLD."host" AND "user"=OLD."user" AND "store"=OLD."store"; '
    'DELETE FROM "xmpprest_archive" WHERE "host"=NEW."host" AND "user"=NEW."user" AND "store"=NEW."store"; END',
}
SORTING = 65536  # KiB, while indexes are made
REPLACED = {"prosody_index": "prosody_unique_index"}
"""Indexes that another one replaces: Prosody 13 makes the latter, and drops the former at every start."""


def ensure_schema(connection: sqlite3.Connection) -> None:
    """Make what is missing, and turn the write-ahead log on. Instant on a complete file, however large."""
    names = _names(connection)
    wanted = {name for name in schema.INDEXES if REPLACED.get(name) not in names} | TRIGGERS.keys()
    ((mode,),) = connection.execute("PRAGMA journal_mode").fetchall()
    if mode != "wal" or _is_incomplete(connection, wanted):
        _complete(connection, wanted)


def _is_incomplete(connection: sqlite3.Connection, wanted: Set[str]) -> bool:
    names = _names(connection)
    return not {*TABLES, *wanted} <= names or bool(names & set(schema.FORMER))


def _complete(connection: sqlite3.Connection, wanted: Set[str]) -> None:
    from sqlite_utils import Database  # here, as it takes 3 MiB, and a complete file needs none of it

    database = Database(connection)
    # a read-only file, or one in use by another process, keeps its mode: as durable, but slower
    with suppress(sqlite3.OperationalError):
        database.enable_wal()
    if not _is_incomplete(connection, wanted):
        return
    ((cache,),) = connection.execute("PRAGMA cache_size").fetchall()
    connection.execute(f"PRAGMA cache_size=-{SORTING}")
    try:
        _make_tables(connection, wanted)
        # each in a transaction of its own: other processes wait for one of them at most
        for name in sorted(wanted - TRIGGERS.keys() - _names(connection)):
            log.info("making the index %s of the SQLite storage; takes 2 s for 1,000,000 rows", name)
            database.execute(schema.create_index(name))
        for name in schema.FORMER:
            database.execute(f'DROP INDEX IF EXISTS "{name}"')
    finally:
        connection.execute(f"PRAGMA cache_size={cache}")


def _make_tables(connection: sqlite3.Connection, wanted: Set[str]) -> None:
    """Make the tables and triggers that are missing, and in a new file the indexes."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        names = _names(connection)  # another process may have made them meanwhile
        for name, columns in TABLES.items():
            connection.execute(f'CREATE TABLE IF NOT EXISTS "{name}" ({columns})')
        for name in TRIGGERS.keys() - names:
            connection.execute('DELETE FROM "xmpprest_archive"')  # nobody has kept it right
            connection.execute(f'CREATE TRIGGER "{name}" {TRIGGERS[name]}')
        for name in () if names else wanted - TRIGGERS.keys():
            connection.execute(schema.create_index(name))
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def stand_in_for_missing(connection: sqlite3.Connection) -> None:
    """Make temporary empty tables, of this connection alone, for those that the file lacks."""
    connection.execute("PRAGMA temp_store=MEMORY")
    there = _names(connection)
    for name, columns in TABLES.items():
        if name not in there:
            connection.execute(f'CREATE TEMP TABLE "{name}" ({columns})')


def in_wal_mode(path: Path) -> bool:
    """Whether the file says that it is written through a write-ahead log (sqlite.org/fileformat.html §1.3.3)."""
    with path.open("rb") as file:
        return file.read(20)[18:20] == b"\x02\x02"


def _names(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master").fetchall()}
