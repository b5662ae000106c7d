"""What `/status` tells of a cluster (many-machines §13)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from drivers.shared import NodeRow
from xmpp_rest.cluster.node_info import DRAINING, READY, info_of, table_in
from xmpp_rest.cluster.owner import LeaseOwner
from xmpp_rest.cluster.settings_digest import differing

SILENT = "silent"
LISTED = 3600.0  # seconds that a silent node is listed


class NodeState(NamedTuple):
    """A node as another one sees it: its row, for how many seconds that has been as it is, and `ready`, `draining` or `silent`."""

    row: NodeRow
    seen: float
    state: str

    @property
    def streams(self) -> int:
        """Its open event streams."""
        streams = info_of(self.row).get("streams")
        return streams if isinstance(streams, int) and self.state != SILENT else 0


def states_of(heard: Mapping[str, tuple[NodeRow, float]], now: float, lease: float) -> list[NodeState]:
    """The nodes by name. `heard`: the row of each, and when it was first read as it is, by the clock of `now`."""
    states = [NodeState(row, max(0.0, now - since), _state_of(row, now - since, lease)) for row, since in heard.values()]
    return sorted((each for each in states if each.seen < LISTED), key=lambda each: each.row.node)


def _state_of(row: NodeRow, seen: float, lease: float) -> str:
    if seen >= lease:
        return SILENT
    return DRAINING if info_of(row).get("state") == DRAINING else READY


def told(
    node: str, kind: str, copies: int | None, owners: Mapping[str, LeaseOwner | None], owner: LeaseOwner | None, states: list[NodeState]
) -> dict[str, Any]:
    """The object. `node`: the one that tells; `owners`: of the hosted domains; `owner`: of that of the accounts."""
    like = next((each.row for each in states if each.row.node == (owner.node if owner else node)), None)
    return {
        "kind": kind,
        "node": node,
        "copies": copies,
        "members": sum(each.state != SILENT for each in states),
        "owners": [_owner(domain, each, node) for domain, each in owners.items()],
        "nodes": [_node(each, like) for each in states],
    }


def _owner(domain: str, owner: LeaseOwner | None, node: str) -> dict[str, Any]:
    if owner is None:
        return {"domain": domain, "node": "", "epoch": 0, "here": False}
    return {"domain": domain, "node": owner.node, "epoch": owner.epoch, "here": owner.node == node}


def _node(each: NodeState, like: NodeRow | None) -> dict[str, Any]:
    """`differs`: in which sections its settings are other than those of the owner, or of this node while there is none."""
    theirs, ours = table_in(each.row, "settings"), table_in(like, "settings") if like else {}
    return {
        "node": each.row.node,
        "version": each.row.version,
        "seen": round(each.seen, 1),
        "streams": each.streams,
        "state": each.state,
        "may_own": bool(info_of(each.row).get("may_own", True)),
        "differs": differing(ours, theirs) if ours and theirs else [],
    }
