"""LeaseTerm: until when an owner may write, by a clock of its own (many-machines §6)."""

from __future__ import annotations

from collections.abc import Callable

MARGIN = 1.0  # seconds by which an owner ends before a candidate may take
SOONER = 1.0  # seconds without a beat after which a candidate may take at the soonest, where the owner's session with the database is gone
HELD = 0.9  # of these after which an owner writes no more, until it has renewed


class LeaseTerm:
    """The time that an owner has, counted from before it sent the last renewal that succeeded. Read by any thread, changed by one."""

    def __init__(self, lease: float, clock: Callable[[], float], taken: float, *, has_locks: bool) -> None:
        """`taken`: from before it was taken. `has_locks`: whether candidates look for a lock that the owner's session holds.

        That session may be gone, without the owner having noticed, from the moment of a renewal on.
        """
        self._clock = clock
        self._length = length_of(lease)
        self._written = min(HELD * sooner_of(lease), self._length) if has_locks else self._length
        self._counted = taken

    def renewed(self, sent: float) -> None:
        """A renewal that was sent then has succeeded."""
        self._counted = sent

    @property
    def end(self) -> float:
        """The time of the clock at which this owner is none any more."""
        return self._counted + self._length

    def is_over(self) -> bool:
        return self._clock() >= self.end

    def may_write(self) -> bool:
        """Whether the link may be written to now."""
        return self._clock() < self._counted + self._written


def length_of(lease: float) -> float:
    """How long an owner owns after a renewal."""
    return max(lease - MARGIN, lease / 2)


def sooner_of(lease: float) -> float:
    """How long a candidate that has found the lock free waits for a beat: for two at least."""
    return max(SOONER, lease / 3)
