"""One data folder for a database: gateways of one domain that meet in a database without a cluster refuse each other.

Each gateway has a row with a number, its beat, that it counts up. Another one that starts looks at the rows for as long as it takes to
see them beat, by its own clock alone: one that beats lives, and one that does not for SILENCE seconds is dead. The lease of the storage
(`drivers/lease.py`) decides between two that start at the same time.
"""

# many-machines §4

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from drivers.lease import LeaseTaken
from drivers.node_table import NodeTable
from drivers.shared import NodeRow

BEAT = 1.0
"""Seconds between two beats of a gateway without a cluster."""
SILENCE = 5.0
"""Seconds without a beat after which a row is that of a dead gateway."""
LOOK = 0.25
"""Seconds between two looks at the rows."""
ALONE = "none"
"""`kind` of the row of a gateway that is to be the only one."""
LEASE = "lease"
"""Member of `info`: the seconds after which a node of a cluster counts as gone. It beats six times in them."""


class AloneInDatabase:
    """What one gateway does so that no other kind, and without a cluster no other data folder, uses the database for its domain."""

    def __init__(
        self,
        table: NodeTable,
        own: NodeRow,
        domain: str,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`own`: the row, whose `id` is the same for all processes of the data folder, and for no other folder; `domain`: for people."""
        self._table = table
        self._own = own
        self._domain = domain
        self._clock = clock
        self._pause = pause

    def require(self) -> list[NodeRow]:
        """The rows of others that are dead, once that is known: within SILENCE seconds, or half a lease. Raises LeaseTaken if one lives."""
        seen, began = self._refused(), self._clock()
        while seen:
            asked, now = self._clock(), self._refused()
            for node, row in now.items():
                if seen.get(node) != row:
                    raise LeaseTaken(self._sentence(row, self._clock() - asked))
            if all(asked - began >= silence_of(row) for row in now.values()):
                return list(now.values())
            self._pause(LOOK)
        return []

    def forget(self, dead: Sequence[NodeRow]) -> None:
        """Remove these rows."""
        for row in dead:
            self._table.forget(row.node, row)

    def enter(self) -> None:
        """Make the own row, in the place of one of this data folder that had another name."""
        own = self._own
        self.forget([row for row in self._table.nodes() if (row.kind, row.id) == (ALONE, own.id) and row.node != own.node])
        self._table.enter(own)

    def beat(self) -> None:
        """Count up. A row that is gone is made again: whether the storage is another's by now, the lease tells."""
        if not self._table.beat(self._own):
            self._table.enter(self._own)

    def leave(self) -> None:
        """Remove the own row, so that the next gateway does not wait."""
        self.forget([row for row in self._table.nodes() if (row.node, row.run) == (self._own.node, self._own.run)])

    def others(self) -> list[NodeRow]:
        """The rows of other data folders."""
        return [row for row in self._table.nodes() if row.id != self._own.id]

    def _refused(self) -> dict[str, NodeRow]:
        """The gateways that cannot be there beside this one, by node. The processes of one folder can."""
        own = self._own
        rows = self._table.nodes()
        if own.kind != ALONE:
            return {row.node: row for row in rows if row.kind == ALONE}
        return {row.node: row for row in rows if (row.kind, row.id) != (ALONE, own.id)}

    def _sentence(self, row: NodeRow, seconds: float) -> str:
        what = f"another gateway serves {self._domain} from this database (node {row.node}, seen {seconds:.0f} s ago)"
        return f"[storage] url: {what}; stop it, or set [cluster] kind = postgresql on both"


def silence_of(row: NodeRow) -> float:
    """Seconds without a beat after which this one is dead."""
    lease = row.info.get(LEASE) if isinstance(row.info, dict) else None
    return max(SILENCE, lease / 2) if isinstance(lease, int | float) and not isinstance(lease, bool) else SILENCE
