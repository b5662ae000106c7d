"""Locks for many things, of which those with the same hash share one."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

from xmpp_rest.threads.tasks import OrderLock


class Stripes:
    """So many OrderLocks. Each is made as it is first asked for: a process that has just begun needs none of its hundreds."""

    def __init__(self, count: int, *, reentrant: bool = False) -> None:
        self._count = count
        self._reentrant = reentrant
        self._locks: dict[int, OrderLock] = {}

    def of(self, key: Hashable) -> OrderLock:
        """The lock of this one."""
        return self._at(hash(key) % self._count)

    @contextmanager
    def holding(self, keys: Iterable[Hashable]) -> Iterator[None]:
        """Hold the locks of all of these, taken in one order everywhere."""
        with ExitStack() as held:
            for stripe in sorted({hash(key) % self._count for key in keys}):
                held.enter_context(self._at(stripe))
            yield

    def _at(self, stripe: int) -> OrderLock:
        # two threads may make one at the same time: setdefault keeps the first
        return self._locks.get(stripe) or self._locks.setdefault(stripe, OrderLock(reentrant=self._reentrant))
