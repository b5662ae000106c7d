"""Progress of long work: a bar on a terminal, elsewhere a line every ten seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, Self

EVERY = 10.0
"""Seconds between lines."""


class ProgressDisplay:
    """Counts what has been done, and shows it on standard error; a context."""

    def __init__(
        self, unit: str, total: int | None = None, *, quiet: bool = False, begun: int = 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`unit`: what is counted, in the plural; `total`: how many there are, if that is known; `begun`: how many had been done before."""
        self._unit, self._total, self._quiet, self._clock = unit, total, quiet, clock
        self._done = self._begun = begun
        self._began = clock()
        self._next = self._began + EVERY
        self._bar: Any = None if quiet or not sys.stderr.isatty() else _bar(unit, total, begun)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def advance(self, count: int = 1) -> None:
        """Count what has been done since the last call."""
        self._done += count
        if self._bar is not None:
            self._bar.update(count)
        elif not self._quiet and self._clock() >= self._next:
            self._next = self._clock() + EVERY
            print(self._line(), file=sys.stderr, flush=True)

    def say(self, sentence: str) -> None:
        """Print a line above the bar, also if it is quiet."""
        if self._bar is not None:
            self._bar.clear()
        print(sentence, file=sys.stderr)
        if self._bar is not None:
            self._bar.refresh()

    def _line(self) -> str:
        if not self._total:
            return f"{self._done:,} {self._unit}"
        new = self._done - self._begun
        left = (self._clock() - self._began) / new * max(0, self._total - self._done) if new else 0
        return f"{self._done:,} of {self._total:,} {self._unit}, {100 * self._done // self._total} %, {_duration(left)} left"


def _duration(seconds: float) -> str:
    """Seconds up to two minutes, then minutes, then hours and minutes."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def _bar(unit: str, total: int | None, begun: int) -> Any:
    """A bar of tqdm's, without the thread by which it looks after bars that stand still; None without tqdm."""
    try:
        from tqdm import tqdm  # here, as most commands need none of it
    except ImportError:
        return None
    bar = type("Bar", (tqdm,), {"monitor_interval": 0})
    return bar(total=total, initial=begun, unit=f" {unit}", file=sys.stderr, dynamic_ncols=True)
