"""FairShare: whether a candidate leaves a lease to another one that owns fewer hosted domains (many-machines §6)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from drivers.shared import LeaseRow


class FairShare:
    """Of one candidate for one lease. Used by one thread."""

    def __init__(self, hosted: str, domains: Collection[str], node: str, lease: float) -> None:
        """`domains`: those that have owners of their own; `lease`: seconds for which another one is waited for at most."""
        self._hosted = hosted
        self._domains = frozenset(domains) - {hosted}
        self._node = node
        self._lease = lease
        self._since: float | None = None  # when another one was first to take it; None: none is

    def yields(self, leases: Mapping[str, LeaseRow], candidates: Collection[str], now: float) -> bool:
        """Whether this node does not take the lease now, which it may. `candidates`: the other living nodes that may."""
        owned = Counter(row.node for domain, row in leases.items() if domain in self._domains)
        fewest = min((owned[node] for node in candidates), default=owned[self._node])
        if owned[self._node] <= fewest:
            self._since = None
            return False
        if self._since is None:
            self._since = now
        return now - self._since < self._lease
