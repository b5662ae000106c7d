"""Looks: what one thread does again and again, and others may wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Looks:
    """Counts what one thread does, by `under_way`; any other thread may wait."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._ended = 0
        self._is_under_way = False

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """One look."""
        with self._changed:
            self._is_under_way = True
        try:
            yield
        finally:
            with self._changed:
                self._is_under_way = False
                self._ended += 1
                self._changed.notify_all()

    def wait_for_new(self, begin: Callable[[], None], seconds: float) -> bool:
        """Whether a look that begins after this call has ended within so many seconds. `begin` has one begin soon; it must not wait."""
        with self._changed:
            enough = self._ended + (2 if self._is_under_way else 1)
            begin()
            return self._changed.wait_for(lambda: self._ended >= enough, seconds)
