"""Ownership: whether this node owns, and why it does no more."""

from __future__ import annotations

import threading
from collections.abc import Callable

from xmpp_rest.cluster.lease_term import LeaseTerm
from xmpp_rest.processes.loss import Loss, LossKind


class Ownership:
    """Of one life of a speaker: it begins once at most, and ends once. Used by any thread."""

    def __init__(self, lease: float, clock: Callable[[], float], *, has_locks: bool) -> None:
        """`has_locks`: whether an owner's session holds a lock."""
        self._lease = lease
        self._clock = clock
        self._has_locks = has_locks
        self._term: LeaseTerm | None = None
        self._changing = threading.Lock()  # guards beginning, loss and end
        self.epoch = 0
        """Of the lease that this node holds, or has held; 0: it has held none."""
        self.loss: Loss | None = None
        """Why it gives up, or has given up, what it owned."""

    @property
    def has_begun(self) -> bool:
        """Whether there is a lease that was not released."""
        return self._term is not None

    @property
    def owns(self) -> bool:
        """Whether this node owns, also while it hands over."""
        return self._term is not None and (self.loss is None or self.loss.kind is LossKind.GIVEN_UP)

    @property
    def holds(self) -> bool:
        """Whether this node owns, and has not begun to give that up."""
        return self._term is not None and self.loss is None

    @property
    def until(self) -> float | None:
        """The time of the clock at which this node owns no more; None: it does not own."""
        term = self._term
        return term.end if term is not None and self.owns else None

    def may_write(self) -> bool:
        """Whether this node may write to the link now."""
        term = self._term
        return term is not None and self.owns and term.may_write()

    def begin(self, epoch: int, taken: float) -> None:
        """The lease was taken; `taken`: the time from before that."""
        with self._changing:
            self.epoch, self._term = epoch, LeaseTerm(self._lease, self._clock, taken, has_locks=self._has_locks)

    def renewed(self, sent: float) -> None:
        """A renewal that was sent then has succeeded."""
        if (term := self._term) is not None:
            term.renewed(sent)

    def is_over(self) -> bool:
        """Whether its time is over."""
        term = self._term
        return term is not None and term.is_over()

    def lose(self, loss: Loss) -> bool:
        """Own no more; False: that is so already."""
        with self._changing:
            if self.loss is not None and (self.loss.kind is not LossKind.GIVEN_UP or loss.kind is LossKind.GIVEN_UP):
                return False
            if self._term is None and loss.kind is not LossKind.DISPLACED:
                return False
            self.loss = loss
        return True

    def end(self) -> bool:
        """This life is over; whether the lease is to be released."""
        with self._changing:
            is_held = self.owns
            self._term, self.loss = None, self.loss or Loss(LossKind.GIVEN_UP, "it ends")
        return is_held
