"""Reading of a file of items in pieces."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drivers import Sort, StorageError
from drivers.files import durable
from drivers.files.format import Format, Record, UnreadableFile

BLOCK = 2**18


@contextmanager
def opened(path: Path) -> Iterator[int | None]:
    """A descriptor for reading, None if there is no file. It can still be read after the file has been replaced or removed."""
    descriptor = None
    with durable.unless_missing(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with located(path):
            yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


@contextmanager
def located(path: Path) -> Iterator[None]:
    """Add the name of the file to errors."""
    try:
        yield
    except UnreadableFile as e:
        raise StorageError(f"{path}: {e}", told="a file of the storage cannot be read") from e


def records(descriptor: int, form: Format, start: int = 0) -> Iterator[Record]:
    """The records of a file, from the one at byte `start` on. Raises Damaged."""
    return form.records(_pieces(descriptor, form.boundary, start))


def _pieces(descriptor: int, boundary: bytes, offset: int) -> Iterator[Record]:
    rest = b""
    # blocks grow with a record that does not end, so that joining them stays linear
    while block := os.pread(descriptor, max(BLOCK, len(rest)), offset + len(rest)):
        rest += block
        start = 0
        while (cut := rest.find(boundary, start)) >= 0:
            yield Record(offset + start, rest[start : cut + 1])
            start = cut + 1
        offset, rest = offset + start, rest[start:]
    if rest:
        yield Record(offset, rest)


def sort_of(form: Format, suffix: str, path: Path) -> Sort | None:
    """What is in a file with this suffix; None for a file of items without any."""
    if suffix == form.keyval:
        return "keyval"
    with opened(path) as descriptor:
        first = None if descriptor is None else next(records(descriptor, form), None)
        if first is None:
            return None
        if form.list == form.archive:
            return "list" if form.head(first, 1) is None else "archive"
    return "list" if suffix == form.list else "archive"
