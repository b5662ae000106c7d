"""What one thread or task waits for and another one gives: a value, or a state.

Made of locks alone: an Event or a Future takes many times as long.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Generic, TypeVar

from xmpp_rest.threads.tasks import FOREVER, Task, blocks, may_park
from xmpp_rest.threads.waits import Gone, there

T = TypeVar("T")
LOOK = 0.5  # seconds between two checks whether the client of a request that waits in its thread is still connected


class OneShot(Generic[T]):
    """A place for one value. Any thread may give it, and the first value counts; one thread or task waits for it."""

    def __init__(self) -> None:
        self._giving = threading.Lock()
        self._given = threading.Lock()
        self._given.acquire()
        self._task: Task | None = None  # that waits
        self.value: T | None = None
        """The value; None before it is given."""

    def give(self, value: T) -> bool:
        """Whether this is the first value, so that it counts. `value` is not None."""
        if not self._giving.acquire(blocking=False):
            return False
        self.value = value
        self._given.release()
        if (task := self._task) is not None:
            task.wake()
        return True

    def wait(self, seconds: float = FOREVER, gone: Gone = there) -> T | None:
        """The value; None if there is none within so many seconds, or before the client is gone.

        A task parks meanwhile, if it may; the server wakes it when its client has gone.
        """
        seconds = min(max(seconds, 0.0), FOREVER)
        if (task := may_park()) is not None:
            self._park(task, seconds, gone)
        elif not self._given.acquire(blocking=False):
            blocks()
            look, until = FOREVER if gone is there else LOOK, time.monotonic() + seconds
            while not self._given.acquire(timeout=min(max(until - time.monotonic(), 0.0), look)):
                if time.monotonic() >= until or gone():
                    break
        return self.value

    def _park(self, task: Task, seconds: float, gone: Gone) -> None:
        until = time.monotonic() + seconds
        self._task = task  # before the first look: who gives the value after that wakes it
        try:
            # before the first park as well: a client that has left already wakes nobody
            while self.value is None and (left := until - time.monotonic()) > 0 and not gone():
                task.park(left if seconds < FOREVER else FOREVER)
        finally:
            self._task = None


class Gate:
    """As threading.Event, for threads and tasks."""

    def __init__(self) -> None:
        self._is_set = False
        self._waiting: list[OneShot[bool]] = []
        self._lock = threading.Lock()  # guards the two above

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        with self._lock:
            self._is_set = True
            waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.give(True)

    def clear(self) -> None:
        with self._lock:
            self._is_set = False

    def wait(self, seconds: float) -> bool:
        """Whether it is set, or is within so many seconds."""
        if self._is_set:
            return True
        one = OneShot[bool]()
        with self._lock:
            if self._is_set:
                return True
            self._waiting.append(one)
        try:
            return one.wait(seconds) is not None
        finally:
            with self._lock, contextlib.suppress(ValueError):  # it was set
                self._waiting.remove(one)
