"""The heap of deadlines that timers and pools of threads share."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Deadlines(Generic[T]):
    """Items by the monotonic time at which they are due; those of the same time in the order in which they came. Guarded by its owner."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, T]] = []
        self._numbers = itertools.count()

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, when: float, item: T) -> bool:
        """Add an item; whether it is the next one due, so that a thread that waits for the next one has to wait again."""
        heapq.heappush(self._heap, (when, next(self._numbers), item))
        return self._heap[0][2] is item

    def seconds(self) -> float | None:
        """Seconds until the next item is due, 0 or less if one is; None: there is none."""
        return self._heap[0][0] - time.monotonic() if self._heap else None

    def pop(self) -> T:
        """Remove the next item, due or not; there is one."""
        return heapq.heappop(self._heap)[2]

    def keep(self, wanted: Callable[[T], bool]) -> None:
        """Remove all items but these."""
        self._heap = [entry for entry in self._heap if wanted(entry[2])]
        heapq.heapify(self._heap)
