"""Backoff: the time of the next attempt, longer after each failure, with jitter."""

from __future__ import annotations

import secrets


class Backoff:
    """Doubles with each failure, jittered down by up to a half. Its owner says between which bounds."""

    def __init__(self) -> None:
        self._failures = 0

    def next(self, first: float, longest: float) -> float:
        """Seconds until the next attempt: up to `first` after the first failure, at most `longest` after many."""
        delay = min(longest, first * float(1 << min(self._failures, 20)))
        self._failures += 1
        return delay * (0.5 + secrets.randbelow(512) / 1024)

    def reset(self) -> None:
        """Start again: the last attempt succeeded."""
        self._failures = 0
