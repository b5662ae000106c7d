"""Who may write a store now? One writer at a time, over all threads and processes."""

from __future__ import annotations

import fcntl
import os
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drivers import StorageError
from drivers.files import durable
from drivers.names import Key

STRIPES = 64
"""Lock files. Stores that share one by chance wait for each other; that costs a little, and no file is left behind per store."""
BUSY = 30.0
"""Seconds that a write waits for other writers."""
FOLDER = ".locks"  # no encoded host begins with a dot
POLL = (0.0005, 0.02)  # seconds, shortest and longest


class Locks:
    """The locks of one data folder. `flock` ends with the process that held it, however that died."""

    def __init__(self, root: Path) -> None:
        self._root = root
        # by process id: a lock that a thread held at a fork would stay held in the child for ever
        self._threads: dict[int, list[threading.Lock]] = {}
        self._here = threading.local()

    @contextmanager
    def held(self, key: Key) -> Iterator[None]:
        """Hold the lock of a store. Raises StorageError when others write for too long, and for a write within a write."""
        if getattr(self._here, "held", False):
            raise StorageError("a function given to update() must not write to the same storage")
        number = zlib.crc32("\0".join(key).encode()) % STRIPES
        deadline = time.monotonic() + BUSY
        lock = self._of_process()[number]
        if not lock.acquire(timeout=BUSY):
            raise self._too_long(key)
        self._here.held = True
        try:
            descriptor = self._flock(number, deadline, key)
            try:
                yield
            finally:
                os.close(descriptor)
        finally:
            self._here.held = False
            lock.release()

    def _of_process(self) -> list[threading.Lock]:
        pid = os.getpid()
        return self._threads.get(pid) or self._threads.setdefault(pid, [threading.Lock() for _ in range(STRIPES)])

    def _flock(self, number: int, deadline: float, key: Key) -> int:
        descriptor = self._open(number)
        pause, longest = POLL
        try:
            while not (locked := _try_flock(descriptor)) and time.monotonic() < deadline:
                time.sleep(pause)
                pause = min(2 * pause, longest)
        except BaseException:
            os.close(descriptor)
            raise
        if not locked:
            os.close(descriptor)
            raise self._too_long(key)
        return descriptor

    def _open(self, number: int) -> int:
        path = self._root / FOLDER / f"{number:02d}"
        with durable.storage_errors(path):
            durable.make_folder(path.parent)
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, durable.FILE_MODE)

    def _too_long(self, key: Key) -> StorageError:
        sentence = f"others have been writing the store {key.store!r} for {BUSY:.0f} s"
        return StorageError(f"{self._root}: {sentence}", told=sentence)


def _try_flock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
