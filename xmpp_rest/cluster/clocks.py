"""Says that the clocks of two machines differ, which spoils the times of tokens and messages, and nothing else (many-machines §8)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable

from drivers.shared import NodeRow
from xmpp_rest.cluster.node_info import info_of

log = logging.getLogger("xmpp_rest.server")

ALLOWED = 1.0  # seconds
EACH = 3600.0  # seconds between two lines


class ClockComparison:
    """Of one node with the others: each tells by how much its clock is ahead of the database's."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said = float("-inf")

    def look(self, own: float, others: Iterable[NodeRow]) -> None:
        """`own`: seconds that this machine is ahead of the database's."""
        told = ((row.node, info_of(row).get("clock")) for row in others)
        behind = [(node, own - ahead) for node, ahead in told if isinstance(ahead, (int, float)) and abs(own - ahead) > ALLOWED]
        if not behind or self._clock() - self._said < EACH:
            return
        self._said = self._clock()
        said = ", ".join(f"at node {node} {abs(off):.1f} s {'behind' if off > 0 else 'ahead of'} that of this one" for node, off in behind)
        log.warning("the clocks of the machines differ: %s; have all of them follow a time server: tokens expire by these clocks", said)
