"""How does a thread wait for what another one gives, once? With a lock alone: an Event or a Future takes many times as long."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class Once(Generic[T]):
    """A place for one thing. Many may give; what the first gives counts. One waits."""

    def __init__(self) -> None:
        self._giving = threading.Lock()
        self._given = threading.Lock()
        self._given.acquire()
        self.value: T | None = None
        """What was given; None before that."""

    def give(self, value: T) -> bool:
        """Whether this was the first, so that it counts. `value` is not None."""
        if not self._giving.acquire(blocking=False):
            return False
        self.value = value
        self._given.release()
        return True

    def wait(self, seconds: float) -> T | None:
        """What was given, or None if nothing is within so many seconds."""
        self._given.acquire(timeout=min(max(seconds, 0.0), threading.TIMEOUT_MAX))
        return self.value
