"""What a node says of itself for those who may own next: whether it may own, to whom it passes a lease on, how long it takes none.

It says so in `info` of its row, and its next speaker goes on with that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from drivers.shared import NodeRow

MAY_OWN, PASSES, RESTS = "may_own", "passes", "rests"
LONGEST = 300.0  # seconds for which a node that cannot reach the XMPP server takes no lease that another one may take


class Passed(NamedTuple):
    """A lease of this epoch was given up by `node`, for `to`, or for any other one (""); epoch 0: none."""

    node: str = ""
    epoch: int = 0
    to: str = ""


def may_own(row: NodeRow) -> bool:
    """Whether this node is a candidate."""
    return bool(_info(row).get(MAY_OWN))


def passed_of(row: NodeRow) -> Passed:
    """What this node has given up last."""
    match _info(row).get(PASSES):
        case [int(epoch), str(to)]:
            return Passed(row.node, epoch, to)
    return Passed()


def passed_in(rows: Iterable[NodeRow], epoch: int) -> Passed | None:
    """Who has given up the lease of this epoch."""
    return next((passed for row in rows if (passed := passed_of(row)).epoch == epoch), None)


def rest_of(row: NodeRow, now: float) -> float:
    """Until when an earlier speaker of this node, on the same machine, wanted to take no lease; `now`: by the same clock."""
    until = _info(row).get(RESTS)
    return until if isinstance(until, float) and now < until <= now + LONGEST else 0.0


def _info(row: NodeRow) -> dict[str, Any]:
    return row.info if isinstance(row.info, dict) else {}
