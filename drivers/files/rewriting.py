"""Removal of items from the middle of an archive, while others append to it.

The archive is read, and the items that stay are written to another file, while others may append; only what was added in the meantime
is copied under the lock.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from drivers import ArchiveItem, ArchiveQuery, StorageError
from drivers.files import archive, durable
from drivers.files.appending import last_piece, settled
from drivers.files.format import Format
from drivers.files.records import opened

SUFFIX = ".rewritten"  # of the scratch file; `durable.replace` may be writing its own at the same time
TRIES = 5
"""At most how often a file may be replaced as a whole while it is read."""

Changing = Callable[[], AbstractContextManager[None]]
"""A context in which no other writer changes the file."""


def take_out(path: Path, form: Format, query: ArchiveQuery, more: Sequence[ArchiveItem], changing: Changing) -> int:
    """Remove the items that match and, if there are any, add `more` in the same step; their number. Raises ItemNotFound, StorageError."""
    for _ in range(TRIES):
        with opened(path) as descriptor:
            places = archive.find(descriptor, form, query)
            if descriptor is None:
                with changing():  # removes an index without a list
                    return 0
            if not places or _replaced(path, descriptor, form, {place.offset for place in places}, more, changing):
                return len(places)
    raise StorageError(f"{path}: others have replaced the file {TRIES} times while it was being read")


def _replaced(path: Path, old: int, form: Format, gone: set[int], more: Sequence[ArchiveItem], changing: Changing) -> bool:
    """Replace the file; False if another writer has done so in the meantime."""
    with durable.storage_errors(path), durable.scratch(path, SUFFIX) as (new, target):
        read = archive.copy_without(old, form, gone, target)
        os.fsync(target)  # most of the data reaches the disk here, while no writer waits
        with changing():
            end = settled(old, form, read)
            rest = os.pread(old, end - read, read)
            if not _is(path, old):
                new.unlink()
                return False
            if rest:
                durable.write_all(target, archive.with_line_break(rest))
            last = last_piece(old, form)
            durable.write_all(target, b"".join(form.archive_bytes(item, last) for item in more))
            if os.fstat(target).st_size:
                durable.put(new, target, path)
            else:
                new.unlink()
                durable.remove(path)
    return True


def _is(path: Path, descriptor: int) -> bool:
    """Whether this open file is still the one at `path`."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
