"""Queries of an archive file, in one pass over the file."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from drivers import ArchiveItem, ArchiveQuery, ItemNotFound
from drivers.archives import Conditions
from drivers.files import durable
from drivers.files.format import Format, Head, Record, at_byte
from drivers.files.records import located, records


class ItemPlace(NamedTuple):
    """The position (from 1) and the byte range of an archive item."""

    position: int
    offset: int
    length: int


def heads(descriptor: int | None, form: Format) -> Iterator[tuple[int, Record, Head]]:
    """Position, record and head of every archive item; items that are not stanzas are skipped."""
    for position, record in enumerate(records(descriptor, form) if descriptor is not None else (), 1):
        with at_byte(record.offset):
            head = form.head(record, position)
        if head is not None:
            yield position, record, head


def find(descriptor: int | None, form: Format, query: ArchiveQuery) -> list[ItemPlace]:
    """The positions of the items that match, in the order asked for; no descriptor is an empty archive. Raises ItemNotFound."""
    conditions = Conditions(query)
    missing = {query.before, query.after} - {None}
    found: deque[ItemPlace] = deque(maxlen=query.limit if query.newest_first else None)
    ended = full = False
    for position, record, head in heads(descriptor, form):
        missing.discard(head.id)
        ended = ended or head.id == query.before
        if head.id == query.after:
            found.clear()
            continue
        full = not query.newest_first and query.limit is not None and len(found) >= query.limit
        if not ended and not full and conditions.fit(head.id, head.when, head.with_):
            found.append(ItemPlace(position, record.offset, len(record.data)))
        if not missing and (ended or full):
            break
    for item in missing:
        raise ItemNotFound(f"there is no item {item!r} in this archive")
    return list(reversed(found)) if query.newest_first else list(found)


class ItemReader(Iterator[ArchiveItem]):
    """The items at some positions of a file, read one by one; later changes of the file have no effect."""

    def __init__(self, path: Path, descriptor: int | None, form: Format, places: list[ItemPlace]) -> None:
        self._path, self._format, self._places = path, form, iter(places)
        self._descriptor = os.dup(descriptor) if places and descriptor is not None else -1

    def __next__(self) -> ArchiveItem:
        place = next(self._places, None)
        if place is None:
            self.close()
            raise StopIteration
        with durable.storage_errors(self._path), located(self._path), at_byte(place.offset):
            return self._format.archive_item(os.pread(self._descriptor, place.length, place.offset), place.position)

    def close(self) -> None:
        """Close the descriptor."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        self.close()


def copy_without(descriptor: int, form: Format, gone: set[int], target: int) -> int:
    """Copy a file without the records that begin at some bytes; the end of the last record read."""
    end = 0
    for record in records(descriptor, form):
        end = record.offset + len(record.data)
        if record.offset not in gone:
            durable.write_all(target, with_line_break(record.data))
    return end


def with_line_break(record: bytes) -> bytes:
    """A record with a line break at its end, so that another one can follow."""
    return record if record.endswith(b"\n") else record + b"\n"
