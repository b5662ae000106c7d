"""Copies of an SQLite storage that is in use, by SQLite's own backup (sqlite.org/backup.html).

A copy of the files alone would not do: what was committed may still be in the log beside the database, which is moved at any time.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from drivers.copies import OnCopied, StorageFile

PAGES = 4096  # copied at a time


def copy_of(path: Path, scratch: Path, busy: float, progress: OnCopied) -> Iterator[StorageFile]:
    """The one file of the copy. `busy`: seconds to wait for others. Raises sqlite3.Error."""
    target = scratch / "copy.sqlite"
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    uri = f"{path.absolute().as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, timeout=busy, isolation_level=None)) as source, closing(sqlite3.connect(target)) as copy:
        copy.execute("PRAGMA synchronous=OFF")  # who keeps the copy syncs it
        # one snapshot for the whole copy: without it each write of another process would have the backup begin again
        source.execute("BEGIN")
        source.execute("SELECT 1 FROM sqlite_master").fetchone()

        ((size,),) = source.execute("PRAGMA page_size").fetchall()

        def copied(_status: int, left: int, total: int) -> None:
            progress(size * min(PAGES, total - left))

        source.backup(copy, pages=PAGES, progress=copied)
    with target.open("rb") as file:
        yield StorageFile("", file, os.fstat(file.fileno()).st_size)
