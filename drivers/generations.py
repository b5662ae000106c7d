"""Tells the processes of a machine which tables have been written, so that what was read need not be read again.

A small file in the data folder, which all of them map, has a number for each of 4,096 groups of tables. After every write of a table the
number of its group is replaced by a new random one, so that no two writers need a lock to count. A process that has read a table looks
whether the number is still the one that it saw before reading, which takes 0.3 µs. Users have such numbers too, for what concerns all
tables of one.

The file holds nothing to be kept: without it, or where it cannot be made or mapped, nothing is known and everything is read.
"""

from __future__ import annotations

import mmap
import os
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

NAME = "generations"  # in the data folder
GROUPS = 4096
WIDTH = 8  # bytes; aligned, so that the processor reads and writes each number as a whole


class Generations:
    """The numbers of the storages whose data folder this is."""

    def __init__(self, folder: Path) -> None:
        """Nothing is opened or made yet."""
        self._path = folder / NAME
        self._numbers: memoryview | None = None

    def unchanged(self, user: str | None, host: str, store: str) -> Callable[[], bool] | None:
        """What tells whether this table has not been written since now; None: nobody knows. The file is made if need be."""
        numbers = self._numbers or self._map(os.O_CREAT)
        if numbers is None:
            return None
        table, tables = _group(user, host, store), _group(user, host)
        seen, seen_all = numbers[table], numbers[tables]
        return lambda: numbers[table] == seen and numbers[tables] == seen_all

    def changed(self, user: str | None, host: str, store: str | None) -> None:
        """A table of this user, or any (None), may have been written, and the change is there for everybody.

        Without the file nobody has to know.
        """
        numbers = self._numbers or self._map(0)
        if numbers is not None:
            numbers[_group(user, host, store)] = int.from_bytes(os.urandom(WIDTH))

    def _map(self, flags: int) -> memoryview | None:
        """The numbers, kept for the next call; None if the file is not there, or cannot be used."""
        size = GROUPS * WIDTH
        with suppress(OSError):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | flags, 0o600)
            try:
                if os.fstat(descriptor).st_size < size:
                    os.posix_fallocate(descriptor, 0, size)  # never a hole: on a full disk a write to one would kill the process
                self._numbers = memoryview(mmap.mmap(descriptor, size)).cast("Q")
            finally:
                os.close(descriptor)
        return self._numbers


def _group(user: str | None, host: str, store: str | None = None) -> int:
    """That of a table, or of all tables of a user."""
    name = f"{user or ''}\0{host}" if store is None else f"{user or ''}\0{host}\0{store}"
    return zlib.crc32(name.encode("utf-8", "surrogatepass")) % GROUPS
