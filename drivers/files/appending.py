"""How does another item get behind the last whole one of a file?

Appending looks at the end of the file only. An unfinished item there, left by a crash in the middle of a write that was never acknowledged,
is not read, and the next append removes it; unless another program, which takes no locks, is just about to finish it.
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

log = logging.getLogger(__name__)
QUIET = 0.25
"""Seconds without a write after which nobody is believed to be in the middle of one."""
PATIENCE = 2.0
"""Seconds that such a silence is waited for; a clock may be wrong."""
POLL = 0.01  # seconds
TAIL = 4096  # bytes that are looked at first


def append(path: Path, form: Format, data: Callable[[bytes], bytes]) -> None:
    """Add records behind the last whole one; on the disk at return. The caller holds the lock. `data` is given that last one."""
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
    """The last piece of a file, which is its last record as a rule; b"" of an empty one."""
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
    """Where the last whole record behind `end` ends, once nobody is in the middle of writing another. The caller holds the lock.

    What nothing but white space follows is whole, and so is what is damaged: reading tells of it.
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
