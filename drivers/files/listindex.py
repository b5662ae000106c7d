"""The index that Prosody 13 makes of a list (`USER.lidx` beside `USER.list`), which is removed before the list changes.

Prosody never checks an index against its list, and creates a missing one. So none is ever written here: a change of a list
removes its index before, so that a crash in between leaves no wrong one, and again afterwards, as a running Prosody may have made one
in between. An index is a row of native `size_t`: a magic number, then where each item of the list ends. Specification: docs/drivers.md.
"""

from __future__ import annotations

import os
import struct
from contextlib import suppress
from pathlib import Path

from drivers import StorageError
from drivers.files import durable

SUFFIX = "lidx"
MAGIC = 7767640
_WIDTH = struct.calcsize("N")
_ITEM = b"item"
"""What Prosody reads as the beginning of an item, at the beginning of a line."""


def path_of(path: Path) -> str:
    """The index of a list."""
    return f"{str(path).removesuffix('list')}{SUFFIX}"


def is_there(path: Path) -> bool:
    """Whether a list has an index."""
    return os.path.lexists(path_of(path))


class Removed:
    """A context for changing a list, which has no index then, nor afterwards."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        if _remove(self._path):
            with durable.storage_errors(self._path):
                durable.sync_folder(self._path.parent)  # otherwise the old index could be back beside the new list after a power cut

    def __exit__(self, *_: object) -> None:
        with suppress(StorageError):  # the first removal succeeded, so this one should; and the list has been changed by now
            _remove(self._path)


def _remove(path: Path) -> bool:
    with durable.unless_missing(path):
        os.unlink(path_of(path))
        return True
    return False


def remove_if_wrong(path: Path, descriptor: int) -> None:
    """Remove the index of an open list if it does not end where the list ends; reads only the last entry."""
    with suppress(OSError):  # no index; or a folder that may be read only, where `check` tells of it
        index = os.open(path_of(path), os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(index).st_size
            last = os.pread(index, _WIDTH, max(0, size - _WIDTH))
        finally:
            os.close(index)
        if size < 2 * _WIDTH or size % _WIDTH or last != struct.pack("N", os.fstat(descriptor).st_size):
            os.unlink(path_of(path))


def is_right(index: Path) -> bool:
    """Whether an index is the one that Prosody would make of its list now; reads both. One that disappears meanwhile is right."""
    try:
        found = index.read_bytes()
        with index.with_suffix(".list").open("rb") as items:
            ends, offset = [MAGIC], 0
            for line in items:
                if offset and line.startswith(_ITEM):
                    ends.append(offset)
                offset += len(line)
    except FileNotFoundError:
        return not index.exists()
    return found == struct.pack(f"{len(ends) + 1}N", *ends, offset)
