"""Queries of an archive file, by the rows of its index."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from drivers import ArchiveItem, ArchiveQuery, ItemNotFound
from drivers.files import durable
from drivers.files.format import Format, Record, UnreadableFile, at_byte
from drivers.files.indexes import IndexRows
from drivers.files.indexfile import BLOCK
from drivers.files.indexrows import HEAD, end_of, hashed, is_right
from drivers.files.itemrows import matching
from drivers.files.records import located

MANY = 100
"""Ids of a query above which all rows are compared with them, instead of each being looked up."""


class Search:
    """Searches in the archive of an open file. Methods raise ItemNotFound, UnreadableFile."""

    def __init__(self, rows: IndexRows, descriptor: int | None, form: Format) -> None:
        self._rows = rows
        self._descriptor = descriptor
        self._format = form

    def find(self, query: ArchiveQuery) -> Iterator[int]:
        """The rows of the items that match, in the order asked for."""
        found = self._ranges(query, query.newest_first)
        numbers = chain.from_iterable(reversed(some) if query.newest_first else some for some in found)
        return islice(numbers, query.limit)

    def count(self, query: ArchiveQuery, most: int | None = None) -> int:
        """The number of items that match, whatever the limit; `most` if there are more."""
        count = 0
        for some in self._ranges(query, newest_first=False):
            count += len(some)
            if most is not None and count >= most:
                return most
        return count

    def _ranges(self, query: ArchiveQuery, newest_first: bool) -> Iterator[range]:
        """The rows of all items that match, in ranges."""
        start = 0 if query.after is None else self._known(query.after) + 1
        stop = self._rows.count if query.before is None else self._known(query.before)
        if query.ids is None:
            return matching(self._rows, query, start, stop, newest_first)
        numbers = [number for number in self._of_ids(query.ids) if start <= number < stop and self._fits(query, number)]
        return (range(number, number + 1) for number in (reversed(numbers) if newest_first else numbers))

    def _fits(self, query: ArchiveQuery, number: int) -> bool:
        row = self._rows.row(number)
        return (
            (query.with_ is None or row.with_ == hashed(query.with_))
            and (query.start is None or row.when >= query.start)
            and (query.end is None or row.when <= query.end)
        )

    def _known(self, id_: str) -> int:
        number = self._of_id(id_)
        if number is None:
            raise ItemNotFound(f"there is no item {id_!r} in this archive")
        return number

    def _of_ids(self, ids: Iterable[str]) -> list[int]:
        """The rows of the items with these ids, in order."""
        wanted = {hashed(id_): id_ for id_ in ids}
        if len(wanted) <= MANY:
            return sorted(number for id_ in wanted.values() if (number := self._of_id(id_)) is not None)
        found = []
        for start in range(0, self._rows.count, BLOCK):
            rows = self._rows.read(start, min(start + BLOCK, self._rows.count))
            for number, value in enumerate(memoryview(rows).cast("Q")[2::5].tolist(), start):
                if value in wanted and self._has_id(number, wanted[value]):
                    found.append(number)
        return found

    def _of_id(self, id_: str) -> int | None:
        """The row of the item with an id, which is most often a new one."""
        value = hashed(id_)
        file = self._rows.file
        sealed = file.sealed if file else 0
        for number in _with_id(self._rows.read(sealed * BLOCK, self._rows.count), value):
            if self._has_id(sealed * BLOCK + number, id_):
                return sealed * BLOCK + number
        for block in reversed(range(sealed)):
            for number in file.rows_of(block, value) if file else ():
                if self._has_id(number, id_):
                    return number
        return None

    def _has_id(self, number: int, id_: str) -> bool:
        if self._rows.row(number).skipped != self._rows.row(number - 1).skipped:
            return False
        record = self.record(number)
        with at_byte(record.offset):
            head = self._format.head(record, number + 1)
        return head is not None and head.id == id_

    def record(self, number: int) -> Record:
        """The bytes of the item of a row."""
        before, word = self._rows.ends(number, number + 1)
        data = b"" if self._descriptor is None else os.pread(self._descriptor, end_of(word) - before, before)
        if not is_right(word, data):
            self._rows.wrong()  # somebody has changed the item without changing its length
            raise UnreadableFile(f"the item at byte {before} has been changed; ask again")
        return Record(before, data)

    def item(self, number: int) -> ArchiveItem:
        """The item of a row."""
        record = self.record(number)
        with at_byte(record.offset):
            return self._format.archive_item(record.data, number + 1)


def _with_id(rows: bytes, value: int) -> Iterator[int]:
    """The numbers of those of some rows that have the hash of an id, from the last one on."""
    word, at = value.to_bytes(8, sys.byteorder), len(rows)
    while (at := rows.rfind(word, 0, at)) >= 0:
        if at % HEAD.size == 16:
            yield at // HEAD.size
        at += 7


class ItemReader(Iterator[ArchiveItem]):
    """The items of some rows, read one by one; later changes of the file have no effect."""

    def __init__(self, path: Path, descriptor: int | None, rows: IndexRows, form: Format, query: ArchiveQuery) -> None:
        """Closes the rows in the end. Raises ItemNotFound, UnreadableFile."""
        self._path, self._rows, self._descriptor = path, rows, -1
        try:
            if descriptor is not None:
                self._descriptor = os.dup(descriptor)
            self._search = Search(rows, self._descriptor, form)
            self._numbers = self._search.find(query)
        except BaseException:
            self.close()
            raise

    def __next__(self) -> ArchiveItem:
        with durable.storage_errors(self._path), located(self._path):
            number = next(self._numbers, None) if self._descriptor >= 0 else None
            if number is None:
                self.close()
                raise StopIteration
            return self._search.item(number)

    def close(self) -> None:
        """Close the file and its index."""
        self._rows.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        self.close()
