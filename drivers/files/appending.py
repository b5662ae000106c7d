"""Appending of items after the last complete one of a file.

Only the end of the file is read. An incomplete item there, left by a crash during a write that was never acknowledged, is ignored by
readers, and removed by the next append; unless another program, which takes no locks, is still writing it.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from drivers.files import durable
from drivers.files.format import Damaged, Format
from drivers.files.records import records

log = logging.getLogger("xmpp_rest.storage")
QUIET = 0.25
"""Seconds without a write after which no write is assumed to be in progress."""
PATIENCE = 2.0
"""At most how many seconds to wait for such a pause; a clock may be wrong."""
POLL = 0.01  # seconds
TAIL = 4096  # bytes that are read first


def append(path: Path, form: Format, data: Callable[[bytes], bytes]) -> None:
    """Add records after the last complete one; durable at return. The caller holds the lock. `data` is called with that last one."""
    with durable.storage_errors(path):
        durable.make_folder(path.parent)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(path, flags, durable.FILE_MODE)
        try:
            last = last_piece(descriptor, form)
            if last and not form.finished(last[last.rfind(b"\n", 0, -1) + 1 :]):
                _cut_unfinished(descriptor, form, path)
                last = last_piece(descriptor, form)
            durable.append(descriptor, data(last) if not last or last.endswith(b"\n") else b"\n" + data(last))
        finally:
            os.close(descriptor)
        if not last:
            durable.sync_folder(path.parent)


def last_piece(descriptor: int, form: Format) -> bytes:
    """The last piece of a file, usually its last record; b"" for an empty file."""
    size, length = os.fstat(descriptor).st_size, TAIL
    while True:
        start = max(0, size - length)
        tail = os.pread(descriptor, size - start, start)
        cut = tail.rfind(form.boundary, 0, -1)
        if cut >= 0 or start == 0:
            return tail[cut + 1 :]
        length *= 4


def _cut_unfinished(descriptor: int, form: Format, path: Path) -> None:
    end, size = settled(descriptor, form), os.fstat(descriptor).st_size
    if end < size:
        log.warning("%s: removed %d bytes of an item that was never finished", path, size - end)
        os.ftruncate(descriptor, end)


def settled(descriptor: int, form: Format, end: int = 0) -> int:
    """The end of the last complete record after `end`, once no write is in progress. The caller holds the lock.

    A record followed only by white space is complete, and so is a damaged one: reading reports it.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        end = _end(descriptor, form, end)
        now = os.fstat(descriptor)
        if end >= now.st_size or time.time() - now.st_mtime > QUIET or time.monotonic() > deadline:
            return end
        time.sleep(POLL)


def _end(descriptor: int, form: Format, end: int) -> int:
    try:
        for record in records(descriptor, form, end):
            end = record.offset + len(record.data)
    except Damaged:
        return os.fstat(descriptor).st_size
    size = os.fstat(descriptor).st_size
    return size if os.pread(descriptor, size - end, end).strip() == b"" else end
