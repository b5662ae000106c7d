"""How are many deadlines watched by one thread? (The worker has the same for itself: `http` stands alone.)"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


FEW = 1000  # alarms that nobody waits for any more, and that need not be cleared away yet


class Alarm:
    """One deadline."""

    __slots__ = ("act",)

    def __init__(self, act: Callable[[], None]) -> None:
        self.act: Callable[[], None] | None = act


class Alarms:
    """Calls back when the time has come. The thread begins with the first alarm; `stop` forgets those that are left."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Alarm]] = []
        self._cancelled = 0  # of them
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._due)

    def after(self, seconds: float, act: Callable[[], None]) -> Alarm:
        """Call `act` in so many seconds, in the thread of the alarms: it must be quick."""
        alarm = Alarm(act)
        self.set(alarm, seconds)
        return alarm

    def set(self, alarm: Alarm, seconds: float) -> None:
        """As `after`, for an alarm that what it calls has to know."""
        when = time.monotonic() + seconds
        with self._changed:
            heapq.heappush(self._due, (when, next(self._numbers), alarm))
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="alarms", daemon=True)
                thread.start()  # may fail where there are too many; then the next one tries again
                self._thread = thread
            elif self._due[0][0] == when:
                self._changed.notify()

    def cancel(self, alarm: Alarm) -> None:
        """Do not call; what it holds is free at once."""
        with self._changed:
            if alarm.act is None:
                return
            alarm.act = None
            self._cancelled += 1
            if self._cancelled > max(FEW, len(self._due) // 2):
                self._due = [entry for entry in self._due if entry[2].act is not None]
                heapq.heapify(self._due)
                self._cancelled = 0

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _run(self) -> None:
        while (alarm := self._next()) is not None:
            try:
                if act := alarm.act:
                    alarm.act = None
                    act()
            except Exception:
                log.exception("a deadline could not be kept")

    def _next(self) -> Alarm | None:
        with self._changed:
            while not self._stopped and (not self._due or self._due[0][0] > time.monotonic()):
                self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
            if self._stopped:
                return None
            alarm = heapq.heappop(self._due)[2]
            self._cancelled -= alarm.act is None
            return alarm
