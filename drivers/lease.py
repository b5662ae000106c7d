"""Leases of domains: only one gateway at a time uses a storage for a domain.

Two that use one storage for the same domain silently corrupt each other's rooms, archives and caches. So a gateway holds a lease of each
of its domains, which it keeps renewing: a note in the storage has its holder (`node`), the number of the change of holders (`epoch`) and
the time of the last renewal. The processes of one gateway are one node. A lease that was not renewed for LIFE seconds is free.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from drivers import Driver, StorageError, Table

NOTE = "lease"
RENEWAL = 5.0
"""Seconds after which a lease is renewed."""
LIFE = 20.0
"""Seconds after which a lease that was not renewed is free. The clocks of machines that share a storage must differ by less."""


class LeaseTaken(StorageError):
    """Another gateway holds the lease of a domain; the sentence says which."""


class Holding(NamedTuple):
    """The lease of one domain: `where` is for people, `renewed` Unix time in seconds."""

    node: str
    where: str
    epoch: int
    renewed: float

    def is_valid(self, now: float) -> bool:
        """Whether the lease has not expired at that time."""
        return bool(self.node) and abs(now - self.renewed) < LIFE


def holdings(table: Table | None) -> dict[str, Holding]:
    """The leases in a note, by domain; invalid members are left out."""
    found = {}
    for domain, entry in (table.items() if isinstance(table, dict) else ()):
        match entry:
            case {"node": str(node), "where": str(where), "epoch": int(epoch), "renewed": int() | float() as renewed}:
                found[domain] = Holding(node, where, epoch, renewed)
    return found


def held(driver: Driver, now: float | None = None) -> Iterator[tuple[str, Holding]]:
    """The domains for which a gateway uses the storage now. Raises StorageError."""
    for domain, holding in holdings(driver.note(NOTE)).items():
        if holding.is_valid(time.time() if now is None else now):
            yield domain, holding


class Lease:
    """One process's view of its gateway's leases. Methods raise StorageError, and LeaseTaken as they say."""

    def __init__(
        self,
        driver: Driver,
        node: str,
        where: str,
        domains: Sequence[str],
        clock: Callable[[], float] = time.time,
        *,
        over: Collection[str] = (),
    ) -> None:
        """`node`: the same for all processes of one gateway, and for no other; `where`: a description for people.

        `over`: other nodes, of gateways that are known not to run, so that their leases are as good as free.
        """
        self._driver = driver
        self._node = node
        self._where = where
        self._domains = domains
        self._clock = clock
        self._over = over
        self._epochs: Mapping[str, int] = {}

    def claim(self) -> None:
        """Acquire the leases, all or none; those of this node are taken over unchanged. Raises LeaseTaken."""
        epochs: dict[str, int] = {}

        def take(table: Table | None) -> Table:
            old, now = holdings(table), self._clock()
            for domain in self._domains:
                holding = old.get(domain)
                if holding and holding.node not in (self._node, *self._over) and holding.is_valid(now):
                    raise LeaseTaken(_sentence(domain, holding, now))
                epochs[domain] = holding.epoch + (holding.node != self._node) if holding else 1
            return self._to_table(table, epochs, now)

        self._driver.note(NOTE, take)
        self._epochs = epochs

    def require_free(self) -> None:
        """Raise LeaseTaken if another node holds one of the leases; nothing is changed."""
        for domain, holding in held(self._driver, self._clock()):
            if domain in self._domains and holding.node != self._node:
                raise LeaseTaken(_sentence(domain, holding, self._clock()))

    def keep(self) -> None:
        """Renew the leases if due; another process of the node may have done it. Raises LeaseTaken if they are lost."""
        now, ours = self._clock(), self._require_ours(self._driver.note(NOTE))
        if len(ours) == len(self._epochs) and all(now - holding.renewed < RENEWAL for holding in ours):
            return

        def renew(table: Table | None) -> Table:
            self._require_ours(table)
            return self._to_table(table, self._epochs, self._clock())

        self._driver.note(NOTE, renew)

    def release(self) -> None:
        """Release the leases at once; those that are lost are left alone."""

        def give_up(table: Table | None) -> Table | None:
            ours = {domain for domain, epoch in self._epochs.items() if self._is_ours(holdings(table).get(domain), epoch)}
            return {**_members(table), **{domain: {**_members(table)[domain], "renewed": 0} for domain in ours}}

        self._driver.note(NOTE, give_up)

    def _is_ours(self, holding: Holding | None, epoch: int) -> bool:
        return holding is not None and (holding.node, holding.epoch) == (self._node, epoch)

    def _require_ours(self, table: Table | None) -> list[Holding]:
        """The leases in the note; a missing one is not lost. Raises LeaseTaken."""
        ours, found = [], holdings(table)
        for domain, epoch in self._epochs.items():
            if holding := found.get(domain):
                if not self._is_ours(holding, epoch):
                    raise LeaseTaken(_sentence(domain, holding, self._clock()))
                ours.append(holding)
        return ours

    def _to_table(self, table: Table | None, epochs: Mapping[str, int], now: float) -> Table:
        ours = {domain: {"node": self._node, "where": self._where, "epoch": epoch, "renewed": now} for domain, epoch in epochs.items()}
        return {**_members(table), **ours}


def _members(table: Table | None) -> dict[str, Any]:
    return table if isinstance(table, dict) else {}


def _sentence(domain: str, holding: Holding, now: float) -> str:
    ago = max(0, round(now - holding.renewed))
    what = f"another gateway uses this storage for {domain}: {holding.where}, last heard of {ago} s ago"
    return f"{what}; stop it (one that has crashed is forgotten after {LIFE:.0f} s), or give this one a domain or a storage of its own"
