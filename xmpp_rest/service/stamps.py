"""When did that happen? Times for archives and events, of which no two are the same."""

from __future__ import annotations

import threading
import time


class Stamps:
    """Unix time in whole microseconds, as seconds; each later than the one before, also while the clock is set back."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def next(self) -> float:
        with self._lock:
            self._last = max(time.time_ns() // 1000, self._last + 1)
            return self._last / 1_000_000
