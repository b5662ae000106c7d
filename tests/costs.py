"""What a parser may cost: a bounded processor time for each kilobyte, as a multiple of what a loop of Python takes here and now.

So the bound holds on any machine. Processor time of this thread alone: other threads and other processes do not count.
"""

from __future__ import annotations

import time
from collections.abc import Callable

KB = 1024
BUDGET = 6.0
"""Loops of 10,000 steps a kilobyte. What is linear takes a tenth of that; what is quadratic takes hundreds at 60 KB."""
ATTEMPTS = 10
"""One within the budget proves the bound; those beyond it may have met a cold cache, a collection of garbage, or a machine that was stopped."""


def spent(act: Callable[[], object]) -> float:
    """The processor time of one call, in seconds."""
    started = time.thread_time()
    act()
    return time.thread_time() - started


def loop() -> float:
    """The processor time of a loop of 10,000 steps: the best of five, in seconds."""
    return min(spent(_steps) for _ in range(5))


def _steps() -> None:
    total = 0
    for n in range(10_000):
        total += n * n


def cheap(act: Callable[[], object], size: int, what: object = "") -> None:
    """Fails where every attempt takes more than BUDGET for each of the `size` bytes' kilobytes (at least one)."""
    within(BUDGET * max(size / KB, 1), act, what)


def within(loops: float, act: Callable[[], object], what: object = "") -> None:
    """Fails where every attempt takes more than so many loops of 10,000 steps."""
    attempts = []
    for _ in range(ATTEMPTS):
        attempts.append(spent(act) / loop())
        if attempts[-1] < loops:
            return
    raise AssertionError(f"{what}: {min(attempts):.1f} loops, and {loops:.1f} are allowed")
