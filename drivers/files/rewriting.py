"""Removal of items from the middle of an archive, while others append to it.

What stays is copied to another file, and the index for that is made, while others may append; only what was added in the meantime is copied
under the lock. So it costs about the same to remove one item or a million.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from drivers import ArchiveItem, ArchiveQuery, StorageError
from drivers.files import durable
from drivers.files.appending import last_piece, settled
from drivers.files.archive import Search
from drivers.files.format import Format
from drivers.files.indexes import SMALL, Indexes, IndexRows, note_time
from drivers.files.indexfile import IndexFile
from drivers.files.indexrows import BEFORE_ALL, HEAD, POSITIONAL, IndexRow, end_of, hashed
from drivers.files.records import opened

log = logging.getLogger("xmpp_rest.storage")
SUFFIX = ".rewritten"  # of the scratch file; `durable.replace` may be writing its own at the same time
TRIES = 5
"""At most how often a file may be replaced as a whole while it is read."""
COPIED = 2**20  # bytes at once
CHUNK = 4096  # rows at once

Changing = Callable[[], AbstractContextManager[None]]
"""A context in which no other writer changes the file."""


def take_out(path: Path, form: Format, indexes: Indexes, query: ArchiveQuery, more: Sequence[ArchiveItem], changing: Changing) -> int:
    """Remove the items that match and, if there are any, add `more` in the same step; their number. Raises ItemNotFound, StorageError."""
    for _ in range(TRIES):
        with opened(path) as descriptor, indexes.rows(path, descriptor, HEAD.size) as rows:
            gone = ranges(Search(rows, descriptor, form).find(query))
            if descriptor is None:
                with changing():  # removes an index without a list
                    return 0
            if not gone or Rewriting(path, form, indexes, rows, gone).done(descriptor, more, changing):
                return sum(map(len, gone))
    raise StorageError(f"{path}: others have replaced the file {TRIES} times while it was being read")


def ranges(numbers: Iterable[int]) -> list[range]:
    """These numbers, in order, as ranges."""
    found: list[range] = []
    for number in sorted(numbers):
        if found and found[-1].stop == number:
            found[-1] = range(found[-1].start, number + 1)
        else:
            found.append(range(number, number + 1))
    return found


class Rewriting:
    """The replacement of a file by one without some of its items."""

    def __init__(self, path: Path, form: Format, indexes: Indexes, rows: IndexRows, gone: list[range]) -> None:
        self._path, self._format, self._indexes, self._rows = path, form, indexes, rows
        edges = [0, *(edge for some in gone for edge in (some.start, some.stop)), rows.count]
        self._stay = [range(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True) if start < stop]
        self._end = rows.byte(rows.count)

    def done(self, old: int, more: Sequence[ArchiveItem], changing: Changing) -> bool:
        """Replace the file; False if another writer has done so in the meantime."""
        path = self._path
        with durable.storage_errors(path), durable.scratch(path, SUFFIX) as (new, target):
            whole = self.copy(old, target)
            os.fsync(target)  # most of the data reaches the disk here, while no writer waits
            index = self._index(target) if whole else None
            try:
                with changing():
                    end = settled(old, self._format, self._end)
                    rest = os.pread(old, end - self._end, self._end)
                    if not _is(path, old):
                        new.unlink()
                        return False
                    if rest:
                        durable.write_all(target, with_line_break(rest))
                    last = last_piece(old, self._format)
                    durable.write_all(target, b"".join(self._format.archive_bytes(item, last) for item in more))
                    if os.fstat(target).st_size:
                        durable.put(new, target, path)
                        self._put_index(index, target)
                    else:
                        new.unlink()
                        durable.remove(path)
                        self._indexes.forget(path)
            finally:
                self._end_index(index)
        return True

    def copy(self, old: int, target: int) -> bool:
        """Copy the items that stay; whether they are as before but for where they are."""
        whole = True
        for some in self._stay:
            start, stop = self._rows.byte(some.start), self._rows.byte(some.stop)
            last = b""
            while start < stop:
                last = os.pread(old, min(COPIED, stop - start), start)
                if not last:
                    raise StorageError(f"{self._path}: has become shorter while it was being read")
                durable.write_all(target, last)
                start += len(last)
            if not last.endswith(b"\n"):
                durable.write_all(target, b"\n")  # so that another one can follow
                whole = False
        return whole

    @property
    def _scratch(self) -> Path:
        name = self._indexes.path_of(self._path, HEAD.size)
        return name.with_name(f"{name.name}{SUFFIX}")

    def _index(self, target: int) -> IndexFile | None:
        """The index of the new file so far; None if there is none: then who reads the file makes it."""
        if self._rows.file is None or os.fstat(target).st_size < SMALL:
            return None
        try:
            index = IndexFile.created(self._scratch, HEAD.size, os.fstat(target).st_ino)
        except (OSError, StorageError) as e:
            log.debug("%s: no index could be made: %r", self._path, e)
            return None
        try:
            for rows in self._moved():
                index.append(rows)
        except OSError as e:
            log.debug("%s: no index could be made: %r", self._path, e)
            self._end_index(index)
            return None
        return index

    def _moved(self) -> Iterable[bytes]:
        """The rows of the items that stay, as they are after the removal."""
        last, position, moved = BEFORE_ALL, 0, 0
        for some in self._stay:
            moved = end_of(last.word) - self._rows.byte(some.start)
            before = self._rows.row(some.start - 1)
            for start in range(some.start, some.stop, CHUNK):
                made = bytearray()
                for values in HEAD.iter_unpack(self._rows.read(start, min(start + CHUNK, some.stop))):
                    row = IndexRow(*values)
                    position += 1
                    last = _moved(row, before, last, moved, position)
                    before = row
                    made += HEAD.pack(*last)
                yield bytes(made)

    def _put_index(self, index: IndexFile | None, target: int) -> None:
        try:
            if index is None:
                return
            note_time(index, target)
            self._indexes.put(self._path, index, self._scratch)
        except (OSError, StorageError) as e:
            log.debug("%s: the index could not be replaced: %r", self._path, e)

    def _end_index(self, index: IndexFile | None) -> None:
        if index is not None:
            index.close()
            with suppress(OSError):
                self._scratch.unlink()


def _moved(row: IndexRow, before: IndexRow, last: IndexRow, moved: int, position: int) -> IndexRow:
    """A row after it was moved by some bytes; `before` was the one before it, and `last` now is."""
    word = row.word + moved
    if row.skipped != before.skipped:
        return last.other(word)
    positional = bool(row.numbers & POSITIONAL)
    return last.stanza(word, row.when, hashed(str(position)) if positional else row.id, row.with_, positional)


def with_line_break(record: bytes) -> bytes:
    """A record with a line break at its end, so that another one can follow."""
    return record if record.endswith(b"\n") else record + b"\n"


def _is(path: Path, descriptor: int) -> bool:
    """Whether this open file is still the one at `path`."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
