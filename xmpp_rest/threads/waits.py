"""Bounds on how many requests wait at once.

Waiting is for the answer to an iq, for a refusal (`Prefer: wait`), and for the events of a stream. A task that waits costs memory alone, so
PARKED of them may. Under a server without tasks each wait holds a thread: then all of these together have at most three quarters of the
threads, so that whatever does not wait is served at once. A *call* is what another process of the gateway is asked, which answers within
milliseconds unless it is stuck; calls may use what waits leave, but for an eighth of the threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from xmpp_rest.errors import GatewayError
from xmpp_rest.threads.tasks import current_task

PARKED = 10_000  # most tasks that wait at once: with their connections 27 KiB each
PATIENCE = 1.0  # seconds that a call waits for another one to end, where there are as many as there may be
Gone = Callable[[], bool]
"""Whether the client of a request has closed its connection; asked several times a second while it waits."""


def there() -> bool:
    """Nobody can tell that the client has gone."""
    return False


class Wait(NamedTuple):
    """How long a request waits: at most `seconds`, and only while its client is there."""

    seconds: float
    gone: Gone = there


class Waits:
    """The waits and calls of one process. Safe to be used by several threads."""

    def __init__(self, threads: int, per_account: int = 0) -> None:
        """`threads`: those that serve requests; `per_account`: waits of one account at most, 0: half as many as there are threads."""
        self._most = max(1, threads * 3 // 4)
        self._per_account = per_account or max(1, threads // 2)
        self._threads = max(1, threads - max(1, threads // 8))  # that waits and calls may hold together
        self._accounts: dict[str, int] = {}
        self._waiting = 0
        self._calling = 0
        self._freed = threading.Condition()

    @property
    def count(self) -> int:
        """How many wait now."""
        return self._waiting

    @property
    def most(self) -> int:
        """Most waits at once; more for tasks."""
        return PARKED if current_task() is not None else self._most

    @property
    def full(self) -> bool:
        """Whether there are as many as there may be."""
        return self._waiting >= self.most

    def try_acquire(self) -> bool:
        """Take a place for a wait that is bounded per account elsewhere; False: there is none. `release` ends it."""
        with self._freed:
            if self._waiting >= self.most:
                return False
            self._waiting += 1
        return True

    def release(self) -> None:
        """The wait that `take` began is over."""
        with self._freed:
            self._waiting -= 1
            self._freed.notify()

    @contextmanager
    def holding(self, account: str) -> Iterator[None]:
        """Have a place for a wait of this account. Raises GatewayError, waits-full, before anything is done."""
        with self._freed:
            own = self._accounts.get(account, 0)
            if own >= min(self._per_account, self.most):
                raise GatewayError("waits-full", f"{own} requests of this account wait, as many as may ([server] waits_per_account)")
            if self._waiting >= self.most:
                raise GatewayError("waits-full")
            self._accounts[account] = own + 1
            self._waiting += 1
        try:
            yield
        finally:
            with self._freed:
                self._waiting -= 1
                if own := self._accounts[account] - 1:
                    self._accounts[account] = own
                else:
                    del self._accounts[account]
                self._freed.notify()

    @contextmanager
    def confirming(self, account: str) -> Iterator[None]:
        """As `holding`, for a wait that something else bounds per account: of tasks, which hold no thread, that is enough.

        Raises GatewayError, waits-full, before anything is done.
        """
        if current_task() is None:
            with self.holding(account):
                yield
            return
        if not self.try_acquire():
            raise GatewayError("waits-full")
        try:
            yield
        finally:
            self.release()

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Have a place for a call to another process. Raises GatewayError, waits-full, if all are taken for PATIENCE seconds.

        A task always has one.
        """
        if current_task() is not None:
            yield
            return
        with self._freed:
            if not self._may_call() and not self._freed.wait_for(self._may_call, PATIENCE):
                raise GatewayError("waits-full", "The leading process does not answer; try again later")
            self._calling += 1
        try:
            yield
        finally:
            with self._freed:
                self._calling -= 1
                self._freed.notify()

    def _may_call(self) -> bool:
        return self._calling < max(1, self._threads - self._waiting)
