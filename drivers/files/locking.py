"""Locks of stores: one writer at a time, over all threads and processes.

A lock is one byte of a lock file, at an offset computed from the store's name: every store has a lock of its own, and none leaves a file.
A store has three of them. The first is held while its file changes, and never for long; the second while an archive is read in order to
rewrite it, so that only other rewriters wait; the third while an index of the file is brought up to date.
"""

from __future__ import annotations

import fcntl
import os
import struct
import threading
import time
from hashlib import blake2b
from pathlib import Path

from drivers import StorageError
from drivers.files import durable
from drivers.names import Key
from drivers.observed import WRITE, StorageObserver, Unobserved, is_of_storage

BUSY = 30.0
"""Seconds that a write waits for other writers."""
FOLDER = ".locks"  # no encoded host begins with a dot
WRITING, REWRITING, INDEXING = "write", "rewrite", "index"  # the lock files
POLL = (0.0005, 0.02)  # seconds, shortest and longest
# Linux 3.15 and later: belongs to the descriptor, so to a thread, and ends with the process, however that ends
_SET_LOCK = getattr(fcntl, "F_OFD_SETLK", None)


class _Waiting:
    """The threads of one process that hold or want a lock."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0


class _ProcessLocks:
    """The locks that threads of one process hold or want."""

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.waiting: dict[tuple[str, int], _Waiting] = {}


class Locks:
    """The locks of one data folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        # by process id: a lock that a thread held at a fork would stay held in the child forever
        self._processes: dict[int, _ProcessLocks] = {}
        self.here = threading.local()
        self.observer: StorageObserver = Unobserved()

    def observed_by(self, observer: StorageObserver) -> None:
        """Tell this one of each change of a store, and of what cannot be written."""
        self.observer = observer

    def held(self, key: Key) -> Lock:
        """Hold the lock of a store. Raises StorageError if others write for too long, and for a write within a write."""
        return Lock(self, WRITING, key)

    def rewriting(self, key: Key) -> Lock:
        """Hold the rewriting lock of a store; other writers continue until the lock is `held` too. Raises as `held`."""
        return Lock(self, REWRITING, key)

    def indexing(self, key: Key) -> Lock:
        """Hold the lock of an index, which may be taken while others are held, and in which none is taken. Raises StorageError."""
        return Lock(self, INDEXING, key)

    def of_process(self) -> _ProcessLocks:
        return self._processes.get(os.getpid()) or self._processes.setdefault(os.getpid(), _ProcessLocks())


class Lock:
    """A context in which the current thread has one lock."""

    def __init__(self, locks: Locks, file: str, key: Key) -> None:
        self._locks = locks
        self._file = file
        self._key = key
        self._offset = int.from_bytes(blake2b("\0".join(key).encode(), digest_size=8).digest(), "big") >> 2
        self._descriptor = -1

    def __enter__(self) -> None:
        if self._file != INDEXING and getattr(self._locks.here, "writes", False):
            raise StorageError("a function given to update() must not write to the same storage")
        deadline = time.monotonic() + BUSY
        self._process = self._locks.of_process()
        self._wait_for_threads()
        try:
            self._wait_for_processes(deadline)
        except BaseException:
            self._let_threads()
            raise
        if self._file != INDEXING:
            self._locks.here.writes = self._file == WRITING
        self._began = time.monotonic()

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if self._file == WRITING and error is None:
            self._locks.observer.committed(time.monotonic() - self._began)
        elif is_of_storage(error):
            self._locks.observer.storage_failed(WRITE)
        if self._file != INDEXING:
            self._locks.here.writes = False
        try:
            _set(self._descriptor, fcntl.F_UNLCK, self._offset)  # closing alone does not release it if a fork has copied the descriptor
            os.close(self._descriptor)
        finally:
            self._let_threads()

    def _wait_for_threads(self) -> None:
        """Threads of one process wait for each other here, without polling."""
        process, name = self._process, (self._file, self._offset)
        with process.guard:
            waiting = self._waiting = process.waiting.setdefault(name, _Waiting())
            waiting.count += 1
        if not waiting.lock.acquire(timeout=BUSY):
            self._leave()
            raise self._too_long()

    def _let_threads(self) -> None:
        self._waiting.lock.release()
        self._leave()

    def _leave(self) -> None:
        with self._process.guard:
            self._waiting.count -= 1
            if not self._waiting.count:
                del self._process.waiting[self._file, self._offset]

    def _wait_for_processes(self, deadline: float) -> None:
        path = self._locks.root / FOLDER / self._file
        pause, longest = POLL
        with durable.storage_errors(path):
            descriptor = _open(path)
            try:
                while not (locked := _try_lock(descriptor, self._offset)) and time.monotonic() < deadline:
                    time.sleep(pause)
                    pause = min(2 * pause, longest)
            except BaseException:
                os.close(descriptor)
                raise
        if not locked:
            os.close(descriptor)
            raise self._too_long()
        self._descriptor = descriptor

    def _too_long(self) -> StorageError:
        return StorageError(f"{self._locks.root}: others have been writing the store {self._key.store!r} for {BUSY:.0f} s")


def _open(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(path, flags, durable.FILE_MODE)
    except FileNotFoundError:
        durable.make_folder(path.parent)
        return os.open(path, flags, durable.FILE_MODE)


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
    else:  # one lock for all stores on systems without descriptor locks
        fcntl.flock(descriptor, fcntl.LOCK_UN if what == fcntl.F_UNLCK else fcntl.LOCK_EX | fcntl.LOCK_NB)
