"""The SQLite driver: `sqlite:FILE`. One file, Prosody's `mod_storage_sql` tables, so a Prosody database opens as it is.

Tables are ours beside Prosody's, which never looks at them: `xmpprest_list` (plain lists, which Prosody keeps in files), `xmpprest_time`
(the fractions of a second of archive items; Prosody's own column has whole seconds), `xmpprest_archive` (what is known of long
archives) and `xmpprest_note` (the lease).
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from drivers import BadStorageURL, StorageError, doubts
from drivers.beside import prosody_with
from drivers.copies import OnCopied, StorageFile, unsaid
from drivers.generations import Generations
from drivers.names import Key
from drivers.observed import READ, WRITE, is_of_storage
from drivers.sql.connections import SQLiteConnections
from drivers.sql.driver import SQLDriver
from drivers.sql.groupcommit import GroupCommit, GroupedChange
from drivers.sql.session import DatabaseSession, Engine, Row, Works
from drivers.sql.sqlitecopy import copy_of
from drivers.sql.sqliteschema import ensure_schema, in_wal_mode, stand_in_for_missing

T = TypeVar("T")
BUSY = 30.0
"""Seconds that a write waits for other writers, of this process and of others."""
CACHE = 500
"""KiB of pages that each connection keeps. SQLite's own 2,000 read no page of an archive faster: the system has the file in memory too."""
POLL = (0.0004, 0.004)  # seconds, shortest and longest: the transactions of our own processes take about 1 ms

SENTENCES = {
    sqlite3.SQLITE_FULL: "there is no space left where the database is",
    sqlite3.SQLITE_READONLY: "the database or its folder is read-only",
    sqlite3.SQLITE_PERM: "the process may not write the database",
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened; its folder must exist and be writable",
    sqlite3.SQLITE_CORRUPT: "the database is damaged; restore it from a backup, or try sqlite3's .recover",
    sqlite3.SQLITE_NOTADB: "the file is not a SQLite database",
    sqlite3.SQLITE_BUSY: f"another process has held the database for {BUSY:.0f} s",
    sqlite3.SQLITE_LOCKED: "the database is locked",
    sqlite3.SQLITE_IOERR: "the disk refused to read or write",
    sqlite3.SQLITE_TOOBIG: "the value is larger than SQLite takes",
}


class SQLite(SQLDriver):
    """Storage in one SQLite file; see `docs/drivers.md`."""

    def __init__(self, rest: str, base: Path) -> None:
        """`rest` is a path, below `base` if relative. The file is opened, and made if need be, by the first call."""
        if not rest or rest.startswith((":", "file:")):
            raise BadStorageURL(f"'sqlite:{rest}' names no file; write sqlite:gateway.sqlite (threads cannot share a database in memory)")
        path = base / rest
        if path.is_dir():
            raise BadStorageURL(f"'sqlite:{rest}' names the folder {path}; write the path of a file")
        self._path = path
        super().__init__(_Engine(path), Generations(base))

    def copies(self, scratch: Path, progress: OnCopied = unsaid) -> Iterator[StorageFile]:
        try:
            yield from copy_of(self._path, scratch, BUSY, progress)
        except sqlite3.Error as e:
            raise _storage_error(self._path, e) from e

    def doubts(self) -> Iterator[str]:
        if not self._path.exists():
            return
        if process := prosody_with(self._path):
            why = "SQLite has one writer at a time, and Prosody does not wait for its turn, so that its writes fail"
            yield f"{self._path}: a running Prosody (process {process}) uses the database: {why}; stop it, or share a PostgreSQL database"
        try:
            with closing(sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
                if connection.execute("SELECT 1 FROM sqlite_master WHERE name='prosody'").fetchone():
                    yield from doubts.about_twins(connection.execute(doubts.TWINS).fetchall(), "rowid")
                    yield from doubts.about_roles(connection.execute(doubts.ROLES).fetchall())
        except sqlite3.Error as e:
            raise _storage_error(self._path, e) from e


class _SQLiteSession(DatabaseSession):
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, *parameters: Any) -> list[Row]:
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except sqlite3.OperationalError as e:
            if "decode" not in str(e):
                raise
            return self._odd_rows(sql, parameters)

    def texts(self, sql: str, columns: Sequence[str], *parameters: Any) -> list[Row]:
        # one row from SQLite instead of many: each row releases the interpreter lock, which is re-acquired late under load
        try:
            (text,) = self._connection.execute(_gathered(sql, columns), parameters).fetchone()
            return [tuple(row) for row in json.loads(text)]
        except (sqlite3.OperationalError, ValueError):
            return [tuple(map(str, row)) for row in self._odd_rows(sql, parameters)]

    def _odd_rows(self, sql: str, parameters: tuple[Any, ...]) -> list[Row]:
        """Rows in which another program has stored bytes that are not text."""
        factory, self._connection.text_factory = self._connection.text_factory, bytes
        try:
            found = self._connection.execute(sql, parameters).fetchall()
        finally:
            self._connection.text_factory = factory
        return [tuple(v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in row) for row in found]

    def run(self, sql: str, *parameters: Any) -> int:
        return self._connection.execute(sql, parameters).rowcount

    def copy(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        names = ", ".join(f'"{column}"' for column in columns)
        self._connection.executemany(f'INSERT INTO "{table}" ({names}) VALUES ({", ".join("?" * len(columns))})', rows)  # noqa: S608


@lru_cache(maxsize=16)
def _gathered(sql: str, columns: Sequence[str]) -> str:
    """The statement that returns all rows of another as one JSON text."""
    names = ", ".join(f'"{name}"' for name in columns)
    return f"SELECT json_group_array(json_array({names})) FROM ({sql})"  # noqa: S608


def _storage_error(path: Path, error: sqlite3.Error) -> StorageError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    sentence = SENTENCES.get(code, "SQLite refused")
    return StorageError(f"{path}: {sentence} ({error})", told=sentence, lasting=code == sqlite3.SQLITE_NOTADB)


def _busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _commit(connection: sqlite3.Connection) -> None:
    """Commit. Without a write-ahead log this waits for readers, as SQLite does it: no new ones are admitted meanwhile."""
    try:
        connection.execute("COMMIT")
    except sqlite3.OperationalError as e:
        if not _busy(e):
            raise
        connection.execute(f"PRAGMA busy_timeout={BUSY * 1000:.0f}")
        try:
            connection.execute("COMMIT")
        finally:
            connection.execute("PRAGMA busy_timeout=0")


class _Engine(Engine):
    pause = POLL[1]  # there is one writer at a time, and the lock of threads goes to any of them

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connections = SQLiteConnections(self._open)
        self._writers = SQLiteConnections(lambda: self._open(waits=False))
        # threads queue here instead of in SQLite, which polls; by process id, as a lock that is held at a fork stays held
        self._groups: dict[int, GroupCommit] = {}
        self._ready = False
        self._read_only = False
        self._opening = threading.Lock()
        self._here = threading.local()

    def read(self, work: Callable[[DatabaseSession], T]) -> T:
        pid, connection = getattr(self._here, "writing", (0, None))
        if connection is not None and pid == os.getpid():
            # a function given to update() sees what has been changed before it in the same transaction
            with self._errors(READ):
                return work(_SQLiteSession(connection))
        with self._errors(READ), self._connections.borrowed() as connection:
            return work(_SQLiteSession(connection))

    def write(self, key: Key, work: Callable[[DatabaseSession], T]) -> T:
        with self._errors(WRITE):
            return self._group().run(lambda connection: work(_SQLiteSession(connection)))

    def write_all(self, works: Works[T], more: Callable[[], Works[T]] = tuple) -> list[T | Exception]:
        def bound(some: Works[T]) -> list[Callable[[sqlite3.Connection], T]]:
            return [lambda connection, work=work: work(_SQLiteSession(connection)) for _, work in some]  # type: ignore[misc]

        def result(change: GroupedChange[T]) -> T | Exception:
            try:
                with self._errors(WRITE):
                    return change.result()
            except Exception as e:
                return e

        try:
            return [result(change) for change in self._group().run_all(bound(works), lambda: bound(more()))]
        except StorageError as e:  # none of them was started
            self.observer.storage_failed(WRITE)
            return [e for _ in works]

    def _transact(self, take: Callable[[], Sequence[GroupedChange[Any]]]) -> None:
        """Make the changes that there are once it is the only writer, in one transaction; an error is recorded in each, which raises it."""
        changes: Sequence[GroupedChange[Any]] = ()
        try:
            with self._writers.borrowed() as connection:
                self._begin(connection)
                began = time.monotonic()
                changes = take()
                self._here.writing = (os.getpid(), connection)
                try:
                    if len(changes) == 1:
                        changes[0].run_alone(connection)
                    elif not all(change.run_unguarded(connection) for change in changes):
                        connection.rollback()
                        self._begin(connection)
                        for change in changes:
                            change.run(connection)
                    _commit(connection)
                    self.observer.committed(time.monotonic() - began)
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
                finally:
                    del self._here.writing
        except BaseException as e:  # not lost: every waiting thread raises it
            for change in changes or take():
                change.fail(e)

    @staticmethod
    def _begin(connection: sqlite3.Connection) -> None:
        """Become the only writer of all processes. (SQLite itself waits in sleeps of up to 0.1 s, which starves some waiters.)"""
        began = time.monotonic()
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as e:
                waited = time.monotonic() - began
                if not _busy(e) or waited > BUSY:
                    raise
            time.sleep(random.uniform(0.5, 1.5) * min(POLL[0] + waited / 16, POLL[1]))  # noqa: S311

    def exists(self) -> bool:
        with self._errors():
            return self._path.is_file() and self._path.stat().st_size > 0

    def read_only(self) -> None:
        self._read_only = True

    def close(self) -> None:
        self._connections.close()
        self._writers.close()

    def _group(self) -> GroupCommit:
        return self._groups.get(os.getpid()) or self._groups.setdefault(os.getpid(), GroupCommit(self._transact, BUSY))

    def _open(self, *, waits: bool = True) -> sqlite3.Connection:
        """`waits`: whether SQLite itself waits for others; a writer waits in `_begin`, and acquires all locks at the start."""
        if self._connections.closed:
            raise StorageError(f"{self._path}: the storage has been closed", told="the storage has been closed")
        if self._read_only:
            return self._open_to_read()
        if not self._ready:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # it holds password hashes: SQLite would make it readable for everybody
            os.close(os.open(self._path, os.O_RDONLY | os.O_CREAT, 0o600))
        connection = sqlite3.connect(self._path, timeout=BUSY, isolation_level=None, check_same_thread=False, cached_statements=256)
        try:
            # FULL: in WAL mode NORMAL would not sync at commit, and a power cut would lose the last writes
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA cache_size=-{CACHE}")
            if not waits:  # without a write-ahead log, a spill would have to wait for readers
                connection.execute("PRAGMA cache_spill=OFF")
            self._make_ready(connection)
            if not waits:
                connection.execute("PRAGMA busy_timeout=0")
        except BaseException:
            connection.close()
            raise
        return connection

    def _open_to_read(self) -> sqlite3.Connection:
        """A connection that changes nothing, and makes no file beside the database unless its log has to be read."""
        unused = in_wal_mode(self._path) and not self._path.with_name(f"{self._path.name}-wal").exists()
        uri = f"{self._path.absolute().as_uri()}?mode=ro" + ("&immutable=1" if unused else "")
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY, isolation_level=None, check_same_thread=False)
        try:
            stand_in_for_missing(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _make_ready(self, connection: sqlite3.Connection) -> None:
        """Prepare the file, in one thread at a time: the write-ahead log cannot be turned on while others use the file."""
        with self._opening:
            if not self._ready:
                ensure_schema(connection)
                self._ready = True

    @contextmanager
    def _errors(self, operation: str = READ) -> Iterator[None]:
        try:
            yield
        except StorageError as e:
            if is_of_storage(e):
                self.observer.storage_failed(operation)
            raise
        except sqlite3.Error as e:
            self.observer.storage_failed(operation)
            raise _storage_error(self._path, e) from e
        except OSError as e:
            self.observer.storage_failed(operation)
            lasting = isinstance(e, (NotADirectoryError, FileExistsError, PermissionError))
            raise StorageError(f"{self._path}: {e.strerror or e}", told=e.strerror or "", lasting=lasting) from e
