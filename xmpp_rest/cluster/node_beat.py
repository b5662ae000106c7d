"""NodeBeat: the row by which the other nodes know that this one lives (many-machines §5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from drivers.shared import NodeRow, Shared
from xmpp_rest import __version__
from xmpp_rest.cluster.identity import NodeIdentity
from xmpp_rest.cluster.protocol import PROTOCOL

MAY_OWN = "may_own"  # in `info` of a node


class NodeBeat:
    """Counts the beat of one life of a speaker. Used by one thread, but for `heard_as`."""

    def __init__(self, identity: NodeIdentity, kind: str, describe: Callable[[], Mapping[str, Any]]) -> None:
        """`kind`: `[cluster] kind`; `describe`: `info` of the node."""
        self._identity = identity
        self._kind = kind
        self._describe = describe
        self._run = identity.run
        self._runs = {identity.run}
        self._entered = ""  # the run under which the others know this node
        self._beat = 0
        self.is_same = False
        """Whether an earlier speaker of the same data folder has made the row."""

    def heard_as(self, run: str) -> None:
        """Have the others know this node under another run, as its session with the database is a new one."""
        self._runs.add(run)
        self._run = run

    def count(self, shared: Shared, *, takes: bool) -> str:
        """Tell the others that this node lives; "", or why it may not say so any more. `takes`: whether it is a candidate.

        Raises StorageError.
        """
        self._beat += 1
        own = self._identity
        row = NodeRow(own.node, own.id, self._run, self._kind, __version__, PROTOCOL, self._beat, {**self._describe(), MAY_OWN: takes})
        if self._entered == row.run and shared.beat(row):
            return ""
        present = {each.node: each for each in shared.nodes()}.get(row.node) if self._entered else None
        if present is not None and present.run not in self._runs:
            return _displaced(present, own)
        former = shared.enter(row)
        if not self._entered:
            self.is_same = former is not None and former.id == own.id
        self._entered = row.run
        return ""


def may_own(row: NodeRow) -> bool:
    """Whether this node is a candidate."""
    return isinstance(row.info, dict) and bool(row.info.get(MAY_OWN))


def _displaced(present: NodeRow, own: NodeIdentity) -> str:
    if present.id == own.id:
        return "another process with the same node.id serves by now; a data folder that was copied must lose that file before it is used"
    return f"another data folder is node {own.node} by now; write another name to [cluster] node"
