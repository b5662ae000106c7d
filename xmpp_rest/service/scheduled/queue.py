"""What falls due soon, in memory, the next first. For one thread that takes and others that add."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Iterable
from typing import NamedTuple

from xmpp_rest.service.scheduled.store import Hint


class DueHint(NamedTuple):
    """A hint, in the order in which they are served."""

    at: float
    number: int
    hint: Hint


class DueQueue:
    """The hints that were read, or that other processes have told. Each message is in it once."""

    def __init__(self) -> None:
        self._heap: list[DueHint] = []
        self._ids: set[str] = set()
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._stopped = False
        self._woken = False

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, hints: Iterable[Hint]) -> None:
        """Add those that are not in it."""
        with self._changed:
            for hint in hints:
                if hint.id not in self._ids:
                    self._ids.add(hint.id)
                    self._push(DueHint(hint.at, next(self._numbers), hint))
            self._changed.notify()

    def put_back(self, hints: Iterable[DueHint]) -> None:
        """Add what was taken, at its old place."""
        with self._changed:
            for due in hints:
                self._ids.add(due.hint.id)
                self._push(due)

    def _push(self, due: DueHint) -> None:
        heapq.heappush(self._heap, due)

    def take(self, now: float, most: int) -> list[DueHint]:
        """What is due by then (Unix time), so many at most, in order."""
        taken: list[DueHint] = []
        with self._changed:
            while self._heap and self._heap[0].at <= now and len(taken) < most:
                due = heapq.heappop(self._heap)
                self._ids.discard(due.hint.id)
                taken.append(due)
        return taken

    def has_before(self, when: float) -> bool:
        """Whether anything in it is due before then (Unix time)."""
        with self._changed:
            return bool(self._heap) and self._heap[0].at < when

    def first(self) -> float | None:
        """When the next one is due (Unix time); None if there is none."""
        with self._changed:
            return self._heap[0].at if self._heap else None

    def wait(self, seconds: float, *, for_due: bool = True) -> bool:
        """Wait so long at most, and until something is due or added; False once it is stopped.

        `for_due`: False: what is due does not end the wait.
        """
        end = time.monotonic() + seconds
        with self._changed:
            while not self._stopped and not (for_due and self._woken) and (left := end - time.monotonic()) > 0:
                if for_due and self._heap:
                    if (until := self._heap[0].at - time.time()) <= 0:
                        break
                    left = min(left, until)
                self._changed.wait(left)
            if for_due:
                self._woken = False
            return not self._stopped

    def wake(self) -> None:
        """End the wait for what is due."""
        with self._changed:
            self._woken = True
            self._changed.notify()

    def stop(self) -> None:
        """End the waits, for good."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
