"""Runs what a test calls as tasks, as the gateway's worker does, and finds each lock that a task holds as it parks.

Another task of the thread that wants such a lock would wait for itself. Locks of the program are replaced while this is installed, but not
those that were made before. A lock that may be held by a task that waits is an OrderLock, and its holder does not park.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from greenlet import getcurrent, greenlet

from tests.threads.scheduler import OneThread
from xmpp_rest.threads.tasks import FOREVER, Task, current_task

_make_lock, _make_rlock = threading.Lock, threading.RLock
OURS = ("xmpp_rest.", "drivers.")
BELOW = ("threading", "xmpp_rest.threads.tasks", "xmpp_rest.threads.stripes")  # make locks for others
NOT_LOCKS = ("xmpp_rest.threads.future", "xmpp_rest.threads.pool")  # acquire to wait, or once and for all


class HeldLocks:
    """Which locks each task and thread holds, by the place that made them."""

    def __init__(self) -> None:
        self._held: dict[greenlet, list[CheckedLock]] = {}
        self.violations: list[str] = []
        self.parks = 0
        """How often a task has parked."""

    def acquired(self, lock: CheckedLock) -> None:
        self._held.setdefault(getcurrent(), []).append(lock)

    def released(self, lock: CheckedLock) -> None:
        for holder in (getcurrent(), *tuple(self._held)):  # another thread may release a lock
            if lock in (held := self._held.get(holder, [])):
                held.remove(lock)
                if not held:
                    del self._held[holder]
                return

    def check(self, task: Task) -> None:
        """Raise AssertionError if the task, which parks, holds a lock, or is within a call of a driver: connections belong to threads."""
        self.parks += 1
        held = [lock.place for lock in self._held.get(task, [])]
        frame = sys._getframe(1)
        while frame.f_back is not None:
            frame = frame.f_back
            if frame.f_globals["__name__"].startswith("drivers."):
                held.append(f"the storage at {Path(frame.f_code.co_filename).name}:{frame.f_lineno}")
        if held:
            self.violations.append(f"a task parks that holds {', '.join(held)}")
            raise AssertionError(self.violations[-1])

    def make(self, kind: Callable[[], Any]) -> Callable[[], Any]:
        """What makes locks instead of `kind`: checked ones for the program, plain ones for all others."""

        def make() -> Any:
            frame = sys._getframe(1)
            while frame.f_back is not None and frame.f_globals["__name__"] in BELOW:
                frame = frame.f_back
            name = frame.f_globals["__name__"]
            if not name.startswith(OURS) or name in NOT_LOCKS:
                return kind()
            return CheckedLock(kind(), self, frame.f_code.co_filename, frame.f_lineno)

        return make


class CheckedLock:
    """A lock that tells who holds it."""

    def __init__(self, lock: Any, locks: HeldLocks, file: str, line: int) -> None:
        """`file` and `line`: where it is made."""
        self._lock = lock
        self._locks = locks
        self._file = file
        self._line = line

    @property
    def place(self) -> str:
        return f"{Path(self._file).name}:{self._line}"  # when asked: an application has 800 locks, and a path costs more than a lock

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        got: bool = self._lock.acquire(blocking, timeout)
        if got:
            self._locks.acquired(self)
        return got

    def release(self) -> None:
        self._locks.released(self)
        self._lock.release()

    def locked(self) -> bool:
        held: bool = self._lock.locked()
        return held

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    # what a Condition asks of an RLock

    def _is_owned(self) -> bool:
        if hasattr(self._lock, "_is_owned"):
            owned: bool = self._lock._is_owned()
            return owned
        return self in self._locks._held.get(getcurrent(), [])


@lru_cache(maxsize=1)
def _imported(_loaded: int) -> list[tuple[ModuleType, str, Any]]:
    """The modules of ours that have what makes locks, and under which names, as long as nothing is installed; of so many that are loaded."""
    ours = [module for name, module in tuple(sys.modules.items()) if name.startswith(OURS)]
    return [(module, name, value) for module in ours for name, value in vars(module).items() if value is _make_lock or value is _make_rlock]


def install(monkeypatch: pytest.MonkeyPatch) -> HeldLocks:
    """Have every WSGI request of this test run as a task, and locks that are made from now on checked."""
    locks = HeldLocks()
    lock, rlock, park, call = locks.make(_make_lock), locks.make(_make_rlock), Task.park, Flask.__call__
    monkeypatch.setattr(threading, "Lock", lock)
    monkeypatch.setattr(threading, "RLock", rlock)
    for module, name, kind in _imported(len(sys.modules)):
        monkeypatch.setattr(module, name, lock if kind is _make_lock else rlock)

    def parking(task: Task, seconds: float = FOREVER) -> None:
        locks.check(task)
        park(task, seconds)

    def as_task(app: Flask, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body: Iterable[bytes] = run(lambda: call(app, environ, start_response))
        return body

    monkeypatch.setattr(Task, "park", parking)
    monkeypatch.setattr(Flask, "__call__", as_task)
    return locks


def run(work: Callable[[], Any]) -> Any:
    """What `work` returns, or raises, as a task on this thread."""
    if current_task() is not None:
        return work()
    came: list[Any] = []
    failed: list[BaseException] = []

    def perform() -> None:
        try:
            came.append(work())
        except BaseException as e:
            failed.append(e)

    OneThread().run(perform, seconds=60)
    if failed:
        raise failed[0]
    return came[0]
