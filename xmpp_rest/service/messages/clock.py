"""When did that happen? Times for archives and events, of which no two are the same."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stamps:
    """Unix time in whole microseconds, as seconds; each later than the one before, also while the clock is set back."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()
        self._held = _Held()

    def next(self) -> float:
        if self._held.when:
            return self._held.when
        with self._lock:
            self._last = max(time.time_ns() // 1000, self._last + 1)
            return self._last / 1_000_000

    @contextmanager
    def all_at(self, when: float) -> Iterator[None]:
        """What this thread does in the context happened at one time, however long it takes: one thing was said to many."""
        self._held.when = when
        try:
            yield
        finally:
            self._held.when = 0.0


class _Held(threading.local):
    """The time that counts for this thread; 0.0 for none."""

    when = 0.0
