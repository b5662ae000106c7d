"""How does a thread wait for what another one gives, once? With a lock alone: an Event or a Future takes many times as long."""

from __future__ import annotations

import threading
import time
from typing import Generic, TypeVar

from xmpp_rest.threads.waits import Gone, there

T = TypeVar("T")
LOOK = 0.5  # seconds between two looks whether the client of a request that waits is still there


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

    def wait(self, seconds: float, gone: Gone = there) -> T | None:
        """What was given; None if nothing is in time, or before the client has gone."""
        until = time.monotonic() + min(max(seconds, 0.0), threading.TIMEOUT_MAX)
        while not self._given.acquire(timeout=min(max(until - time.monotonic(), 0.0), LOOK)):
            if time.monotonic() >= until or gone():
                break
        return self.value
