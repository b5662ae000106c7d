"""Who may write a store now? One writer at a time, over all threads and processes.

A lock is one byte of a lock file, at an offset that is made of the store's name: every store has a lock of its own, and no file is left
behind for it. A store has two of them. Whoever changes its file holds the first, and never for long; whoever reads an archive through to
rewrite it holds the second meanwhile, and so waits for nobody but its like.
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from drivers import StorageError
from drivers.files import durable
from drivers.names import Key

BUSY = 30.0
"""Seconds that a write waits for other writers."""
FOLDER = ".locks"  # no encoded host begins with a dot
WRITING, REWRITING = "write", "rewrite"  # the lock files
POLL = (0.0005, 0.02)  # seconds, shortest and longest
# Linux 3.15 and later: belongs to the descriptor, so to a thread, and ends with the process, however that dies
_SET_LOCK = getattr(fcntl, "F_OFD_SETLK", None)


class _Waiting:
    """The threads of one process that hold or want a lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0


class _Process:
    """The locks that threads of one process hold or want."""

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.waiting: dict[tuple[str, int], _Waiting] = {}


class Locks:
    """The locks of one data folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        # by process id: a lock that a thread held at a fork would stay held in the child for ever
        self._processes: dict[int, _Process] = {}
        self._here = threading.local()

    @contextmanager
    def held(self, key: Key) -> Iterator[None]:
        """Hold the lock of a store. Raises StorageError when others write for too long, and for a write within a write."""
        with self._held(WRITING, key):
            self._here.writes = True
            try:
                yield
            finally:
                self._here.writes = False

    @contextmanager
    def rewriting(self, key: Key) -> Iterator[None]:
        """Keep others from rewriting a store; its other writers go on, until the lock is `held`, too. Raises as `held`."""
        with self._held(REWRITING, key):
            yield

    @contextmanager
    def _held(self, file: str, key: Key) -> Iterator[None]:
        if getattr(self._here, "writes", False):
            raise StorageError("a function given to update() must not write to the same storage")
        deadline = time.monotonic() + BUSY
        offset = int.from_bytes(blake2b("\0".join(key).encode(), digest_size=8).digest(), "big") >> 2
        with self._of_thread(file, offset, key):
            descriptor = self._lock(file, offset, deadline, key)
            try:
                yield
            finally:
                _set(descriptor, fcntl.F_UNLCK, offset)  # closing alone would not do, where a fork has copied it
                os.close(descriptor)

    @contextmanager
    def _of_thread(self, file: str, offset: int, key: Key) -> Iterator[None]:
        """Threads of one process wait for each other here, without polling."""
        process = self._processes.get(os.getpid()) or self._processes.setdefault(os.getpid(), _Process())
        with process.guard:
            waiting = process.waiting.setdefault((file, offset), _Waiting())
            waiting.count += 1
        try:
            if not waiting.lock.acquire(timeout=BUSY):
                raise self._too_long(key)
            try:
                yield
            finally:
                waiting.lock.release()
        finally:
            with process.guard:
                waiting.count -= 1
                if not waiting.count:
                    del process.waiting[file, offset]

    def _lock(self, file: str, offset: int, deadline: float, key: Key) -> int:
        path = self._root / FOLDER / file
        pause, longest = POLL
        with durable.storage_errors(path):
            durable.make_folder(path.parent)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, durable.FILE_MODE)
            try:
                while not (locked := _try_lock(descriptor, offset)) and time.monotonic() < deadline:
                    time.sleep(pause)
                    pause = min(2 * pause, longest)
            except BaseException:
                os.close(descriptor)
                raise
        if not locked:
            os.close(descriptor)
            raise self._too_long(key)
        return descriptor

    def _too_long(self, key: Key) -> StorageError:
        sentence = f"others have been writing the store {key.store!r} for {BUSY:.0f} s"
        return StorageError(f"{self._root}: {sentence}", told=sentence)


def _try_lock(descriptor: int, offset: int) -> bool:
    try:
        _set(descriptor, fcntl.F_WRLCK, offset)
    except BlockingIOError:
        return False
    return True


def _set(descriptor: int, what: int, offset: int) -> None:
    if _SET_LOCK is not None:
        # struct flock: type, whence, start, length, process
        fcntl.fcntl(descriptor, _SET_LOCK, struct.pack("hhqqi4x", what, os.SEEK_SET, offset, 1, 0))
    else:  # all stores together, where a system has nothing better
        fcntl.flock(descriptor, fcntl.LOCK_UN if what == fcntl.F_UNLCK else fcntl.LOCK_EX | fcntl.LOCK_NB)
