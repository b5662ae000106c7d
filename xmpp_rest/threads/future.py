"""A value that one thread gives and another one waits for, made of locks alone: an Event or a Future takes many times as long."""

from __future__ import annotations

import threading
import time
from typing import Generic, TypeVar

from xmpp_rest.threads.waits import Gone, there

T = TypeVar("T")
LOOK = 0.5  # seconds between two checks whether the client of a waiting request is still connected


class OneShot(Generic[T]):
    """A place for one value. Any thread may give it, and the first value counts; one thread waits for it."""

    def __init__(self) -> None:
        self._giving = threading.Lock()
        self._given = threading.Lock()
        self._given.acquire()
        self.value: T | None = None
        """The value; None before it is given."""

    def give(self, value: T) -> bool:
        """Whether this is the first value, so that it counts. `value` is not None."""
        if not self._giving.acquire(blocking=False):
            return False
        self.value = value
        self._given.release()
        return True

    def wait(self, seconds: float = threading.TIMEOUT_MAX, gone: Gone = there) -> T | None:
        """The value; None if there is none within so many seconds, or before the client is gone."""
        look = threading.TIMEOUT_MAX if gone is there else LOOK
        until = time.monotonic() + min(max(seconds, 0.0), threading.TIMEOUT_MAX)
        while not self._given.acquire(timeout=min(max(until - time.monotonic(), 0.0), look)):
            if time.monotonic() >= until or gone():
                break
        return self.value
