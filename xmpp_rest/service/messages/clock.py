"""The monotonic clock of archives and events, which never returns the same time twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_FROZEN = ContextVar("frozen", default=0.0)  # the frozen time of this thread or task; 0.0 for none


class MonotonicClock:
    """Unix time in whole microseconds, as seconds; each later than the one before, even if the system clock is set back."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def next(self) -> float:
        return self.fixed or self.tick()

    @property
    def fixed(self) -> float:
        """The time that `next` returns for all calls of this thread, or task; 0.0 if it goes on."""
        return _FROZEN.get()

    def tick(self) -> float:
        """As `next`, for what is done for other threads or tasks: never a time that was returned before."""
        with self._lock:
            self._last = max(time.time_ns() // 1000, self._last + 1)
            return self._last / 1_000_000

    @staticmethod
    @contextmanager
    def frozen(when: float) -> Iterator[None]:
        """Return this time for all calls of this thread, or task, in the context: copies of one message have the same time."""
        before = _FROZEN.set(when)
        try:
            yield
        finally:
            _FROZEN.reset(before)
