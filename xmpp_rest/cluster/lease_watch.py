"""LeaseWatch: whether a candidate may take a lease, by what it has read, and when, on its own clock (many-machines §6)."""

from __future__ import annotations

from drivers.shared import LeaseRow
from xmpp_rest.cluster.lease_term import sooner_of
from xmpp_rest.cluster.passing_on import Passed


class LeaseWatch:
    """What one candidate has seen of one lease. Clocks of machines never meet: only changes of the row count."""

    def __init__(self, node: str, lease: float, *, has_locks: bool) -> None:
        """`has_locks`: whether an owner's session holds a lock."""
        self._node = node
        self._lease = lease
        self._sooner = sooner_of(lease)
        self._has_locks = has_locks
        self._since: float | None = None  # when the row was first read as it is; None: it must be read again
        self._heard = 0.0  # when it was last read otherwise than before
        self.row: LeaseRow | None = None

    def saw(self, row: LeaseRow | None, now: float) -> None:
        """The row was read so, and the answer came at `now`."""
        if row != self.row:
            self._heard = now
        if self._since is None or row != self.row:
            self._since = now
        self.row = row

    def failed(self) -> None:
        """It could not be read: an outage of the database by itself hands nothing over."""
        self._since = None

    def silence(self, now: float) -> float:
        """Seconds since the row has changed, as far as was seen."""
        return 0.0 if self._since is None else now - self._since

    def is_owned(self, now: float) -> bool:
        """Whether a living node owns, for all that is known."""
        return self.row is not None and bool(self.row.node) and now - self._heard < self._lease

    def asks_for_lock(self, now: float, *, is_own: bool) -> bool:
        """Whether it matters if the lock is free. `is_own`: the owner was a process of this node, which has ended."""
        owned = self._since is not None and self.row is not None and bool(self.row.node)
        return owned and self._has_locks and (is_own or self.silence(now) >= self._sooner / 2)

    def may_take_released(self, now: float, passed: Passed | None) -> bool:
        """Whether a lease that was released, as `passed` says, is for this node."""
        if passed is None or self.silence(now) >= self._lease:
            return self._since is not None
        return passed.to == self._node or (passed.node != self._node and not passed.to)

    def may_take(self, now: float, *, is_own: bool, lock_is_free: bool) -> bool:
        """Whether the lease is nobody's any more."""
        if self._since is None:
            return False
        silence = self.silence(now)
        if self.row is None or silence >= self._lease:
            return True
        if is_own:  # the lock of the folder has proven the other one dead, unless the folder is a copy
            return lock_is_free or not self._has_locks or silence >= self._sooner
        return lock_is_free and silence >= self._sooner
