"""Fences: transactions that change something only while a lease is held, so that an owner that stood still does no harm.

Each begins by locking the row of the lease. Its renewal does not wait for that; taking it does.
"""

# many-machines §6

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, TypeVar

from drivers.shared import LeaseLost
from drivers.sql.session import DatabaseSession

T = TypeVar("T")
# `run` as well, because a standby that was behind may bring an old epoch back
LOOK = 'SELECT 1 FROM "xmpprest_leases" WHERE "hosted"=? AND "epoch"=? AND "run"=? FOR KEY SHARE'


class Fence(NamedTuple):
    """The lease that content of `hosts` is changed under; no hosts: any content."""

    hosted: str
    run: str
    epoch: int
    hosts: frozenset[str]
    on_lost: Callable[[], None]

    def require(self, session: DatabaseSession) -> None:
        """Keep the lease until the end of this transaction. Raises LeaseLost."""
        if not session.rows(LOOK, self.hosted, self.epoch, self.run):
            self.on_lost()
            raise lost(self.hosted)


def lost(hosted: str) -> LeaseLost:
    """The error of a process that does not own a domain."""
    return LeaseLost(
        f"this node does not own {hosted} any longer, and has changed nothing", told="the domain is served by another node now"
    )


class Fences:
    """Those of one process."""

    def __init__(self) -> None:
        self._fences: dict[str, Fence] = {}

    def put_up(self, fence: Fence) -> None:
        self._fences = {**self._fences, fence.hosted: fence}

    def take_down(self, hosted: str) -> None:
        self._fences = {name: fence for name, fence in self._fences.items() if name != hosted}

    def of_domain(self, hosted: str) -> Fence:
        """That of a hosted domain. Raises LeaseLost if there is none."""
        fence = self._fences.get(hosted)
        if fence is None:
            raise lost(hosted)
        return fence

    def around(self, work: Callable[[DatabaseSession], T], hosts: Collection[str] | None) -> Callable[[DatabaseSession], T]:
        """The work on content of these hosts (None: of any), behind their fences."""
        fences = self._fences  # replaced, never changed
        if not fences:
            return work
        concerned = [fence for fence in fences.values() if hosts is None or not fence.hosts or not fence.hosts.isdisjoint(hosts)]
        return behind(concerned, work) if concerned else work


def behind(fences: Sequence[Fence], work: Callable[[DatabaseSession], T]) -> Callable[[DatabaseSession], T]:
    """The work, once all of these leases are kept."""

    def fenced(session: DatabaseSession) -> T:
        for fence in fences:
            fence.require(session)
        return work(session)

    return fenced
