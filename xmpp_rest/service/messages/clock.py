"""The monotonic clock of archives and events, which never returns the same time twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class MonotonicClock:
    """Unix time in whole microseconds, as seconds; each later than the one before, even if the system clock is set back."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()
        self._frozen = _FrozenTime()

    def next(self) -> float:
        if self._frozen.when:
            return self._frozen.when
        with self._lock:
            self._last = max(time.time_ns() // 1000, self._last + 1)
            return self._last / 1_000_000

    @contextmanager
    def frozen(self, when: float) -> Iterator[None]:
        """Return this time for all calls of this thread in the context: copies of one message have the same time."""
        self._frozen.when = when
        try:
            yield
        finally:
            self._frozen.when = 0.0


class _FrozenTime(threading.local):
    """The frozen time of this thread; 0.0 for none."""

    when = 0.0
