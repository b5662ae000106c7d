"""Calls functions at their deadlines: one thread for any number of timers."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable

from xmpp_rest.threads.deadlines import Deadlines

log = logging.getLogger("xmpp_rest.server")
FEW = 1000  # cancelled timers that may stay in the heap


class Timer:
    """One deadline, and the function that is called then."""

    __slots__ = ("act",)

    def __init__(self, act: Callable[[], None]) -> None:
        self.act: Callable[[], None] | None = act


class Timers:
    """Calls back at the deadlines. Its thread begins with the first timer, or with `start`; `stop` forgets the timers that are left."""

    def __init__(self, name: str = "timers") -> None:
        self._name = name
        self._due: Deadlines[Timer] = Deadlines()
        self._cancelled = 0  # of them
        self._changed = threading.Condition()
        self._stopped = False
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._due)

    def start(self) -> None:
        """Begin the thread now. Raises RuntimeError: the system gives no further one."""
        with self._changed:
            self._begin()

    def _begin(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            thread.start()  # may fail where there are too many; the next timer tries again
            self._thread = thread

    def after(self, seconds: float, act: Callable[[], None], grain: float = 0.0) -> Timer:
        """Call `act` in so many seconds, on the thread of the timers: it must be quick.

        `grain`: seconds that it may be late, so that the timers of so long share one wake-up of the thread.
        """
        timer = Timer(act)
        self.set(timer, seconds, grain)
        return timer

    def set(self, timer: Timer, seconds: float, grain: float = 0.0) -> None:
        """As `after`, for a timer that what it calls has to know."""
        due = time.monotonic() + seconds
        if grain:
            due = math.ceil(due / grain) * grain
        with self._changed:
            if self._due.add(due, timer):
                self._changed.notify()
            self._begin()

    def cancel(self, timer: Timer) -> None:
        """Do not call; what it holds is free at once."""
        with self._changed:
            if timer.act is None:
                return
            timer.act = None
            self._cancelled += 1
            if self._cancelled > max(FEW, len(self._due) // 2):
                self._due.keep(lambda kept: kept.act is not None)
                self._cancelled = 0

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _run(self) -> None:
        while (act := self._next()) is not None:
            try:
                act()
            except Exception:  # one timer's trouble must not cost the others their deadlines
                log.exception("a deadline could not be kept")

    def _next(self) -> Callable[[], None] | None:
        """What the next timer calls, once it is due; None when stopped."""
        with self._changed:
            while not self._stopped:
                if (seconds := self._due.seconds()) is None or seconds > 0:
                    self._changed.wait(seconds)
                    continue
                timer = self._due.pop()
                act, timer.act = timer.act, None
                if act is not None:
                    return act
                self._cancelled -= 1
        return None
