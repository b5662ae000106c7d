"""How is a file of items read in pieces, and how does another item get behind the last whole one?

Appending looks at the last line only. An unfinished record, left by a crash in the middle of a write that was never acknowledged, is
not read, and the next append removes it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drivers import StorageError
from drivers.files import durable
from drivers.files.format import Damaged, Format, Record, Unreadable

log = logging.getLogger(__name__)
BLOCK = 2**18


@contextmanager
def opened(path: Path) -> Iterator[int | None]:
    """A descriptor to read from, None where there is no file. What is replaced or removed meanwhile can still be read from it."""
    with durable.storage_errors(path):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as e:
            if not durable.is_missing(e):
                raise
            descriptor = None
    try:
        with located(path):
            yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


@contextmanager
def located(path: Path) -> Iterator[None]:
    """Say which file it is that cannot be read."""
    try:
        yield
    except Unreadable as e:
        raise StorageError(f"{path}: {e}", told="a file of the storage cannot be read") from e


def records(descriptor: int, form: Format) -> Iterator[Record]:
    """The records of a file. Raises Damaged."""
    return form.records(_pieces(descriptor, form.boundary))


def _pieces(descriptor: int, boundary: bytes) -> Iterator[Record]:
    rest, offset = b"", 0
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


def append(path: Path, form: Format, data: bytes) -> None:
    """Add a record behind the last whole one; on the disk at return. The caller holds the lock."""
    with durable.storage_errors(path):
        durable.make_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, durable.FILE_MODE)
        try:
            length = os.fstat(descriptor).st_size
            size, data = _place(descriptor, form, data) if length else (0, data)
            if size < length:
                log.warning("%s: removed %d bytes of an item that was never finished", path, length - size)
            durable.append(descriptor, data, size)
        finally:
            os.close(descriptor)
        if not length:
            durable.sync_folder(path.parent)


def _place(descriptor: int, form: Format, data: bytes) -> tuple[int, bytes]:
    """Where the record goes, and the record, on a line of its own."""
    size = os.fstat(descriptor).st_size
    if form.finished(_last_line(descriptor, size)):
        return size, data
    end = 0
    try:
        for record in records(descriptor, form):
            end = record.offset + len(record.data)
    except Damaged:
        end = size  # reading tells; what is there is not touched
    if os.pread(descriptor, size - end, end).strip() == b"":
        end = size
    inside_a_line = end and os.pread(descriptor, 1, end - 1) != b"\n"
    return end, b"\n" + data if inside_a_line else data


def _last_line(descriptor: int, size: int) -> bytes:
    length = 4096
    while True:
        start = max(0, size - length)
        tail = os.pread(descriptor, size - start, start)
        line = tail.rfind(b"\n", 0, -1)
        if line >= 0 or start == 0:
            return tail[line + 1 :]
        length *= 4
