"""Backoff: the time of the next attempt, longer after each failure, with jitter."""

from __future__ import annotations

import secrets

FIRST = 0.5  # seconds after the first failure
FIRST_REFUSED = 4.0  # seconds after a refused login: a configuration has to be changed


class Backoff:
    """Doubles from FIRST to `longest` seconds, each jittered down by up to a half. A refusal waits up to twice `longest`."""

    def __init__(self, longest: float) -> None:
        self._longest = longest
        self._failures = 0

    def next(self, refused: bool) -> float:
        """Seconds until the next attempt."""
        first, longest = (FIRST_REFUSED, 2 * self._longest) if refused else (FIRST, self._longest)
        delay = min(longest, first * float(1 << min(self._failures, 20)))
        self._failures += 1
        return delay * (0.5 + secrets.randbelow(512) / 1024)

    def reset(self) -> None:
        """The stream was up for a while."""
        self._failures = 0
