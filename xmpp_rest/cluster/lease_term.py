"""LeaseTerm: until when an owner may write, by a clock of its own (many-machines §6)."""

from __future__ import annotations

from collections.abc import Callable

MARGIN = 1.0  # seconds by which an owner ends before a candidate may take
SOONER = 1.0  # seconds without a beat after which a candidate may take, where the owner's session with the database is gone
PAUSE = 0.8  # seconds after which an owner without such a session writes no more, until it has renewed


class LeaseTerm:
    """The time that an owner has, counted from before it sent the last renewal that succeeded. Read by any thread, changed by one."""

    def __init__(self, lease: float, clock: Callable[[], float], taken: float, *, sooner: bool) -> None:
        """`taken`: from before it was taken. `sooner`: whether candidates look for a lock that the owner's session holds."""
        self._length = length_of(lease)
        self._clock = clock
        self._sooner = sooner
        self._counted = taken
        self._is_locked = False

    def renewed(self, sent: float, *, is_locked: bool) -> None:
        """A renewal that was sent then has succeeded. `is_locked`: whether this owner's session holds the lock."""
        self._counted, self._is_locked = sent, is_locked

    def broke(self) -> None:
        """The session is gone, and its lock: a candidate need not wait for long any more."""
        self._is_locked = False

    @property
    def end(self) -> float:
        """The time of the clock at which this owner is none any more."""
        return self._counted + self._length

    def is_over(self) -> bool:
        return self._clock() >= self.end

    def may_write(self) -> bool:
        """Whether the link may be written to now."""
        length = self._length if self._is_locked or not self._sooner else min(PAUSE, self._length)
        return self._clock() < self._counted + length


def length_of(lease: float) -> float:
    """How long an owner owns after a renewal."""
    return max(lease - MARGIN, lease / 2)
