"""NodeList: which nodes there are, and since when each was silent, on the clock of who looks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from drivers.shared import NodeRow


class NodeSeen(NamedTuple):
    """A node as it was last read. `heard`: monotonic time at which its row was first read so."""

    row: NodeRow
    heard: float


class NodeList:
    """The nodes of a cluster. Changed by one thread, read by any."""

    def __init__(self, lease: float) -> None:
        self._lease = lease
        self._seen: dict[str, NodeSeen] = {}
        self._counts_again = False

    def saw(self, rows: Iterable[NodeRow], now: float) -> None:
        """They were read so, and the answer came at `now`."""
        before, again, self._counts_again = self._seen, self._counts_again, False
        found = {}
        for row in rows:
            known = before.get(row.node)
            is_same = known is not None and not again and (known.row.run, known.row.beat) == (row.run, row.beat)
            found[row.node] = NodeSeen(row, known.heard if is_same and known is not None else now)
        self._seen = found

    def failed(self) -> None:
        """They could not be read: silence counts from the beginning."""
        self._counts_again = True

    def all(self) -> dict[str, NodeSeen]:
        """By name."""
        return self._seen

    def living(self, now: float) -> list[NodeRow]:
        """Those that were heard of within a lease."""
        return [seen.row for seen in self._seen.values() if now - seen.heard < self._lease]
