"""NodeBeat: the row by which the other nodes know that this one lives (many-machines §5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from drivers.shared import NodeRow, Shared
from xmpp_rest import __version__
from xmpp_rest.cluster.identity import NodeIdentity
from xmpp_rest.cluster.passing_on import MAY_OWN, PASSES, RESTS, Passed, passed_of, rest_of
from xmpp_rest.cluster.protocol import PROTOCOL

TRIES = 5  # at removing the row of a node that lives, and counts it up


class NodeBeat:
    """Counts the beat of one life of a speaker. Used by one thread, but for `pass_on` and `rest`."""

    def __init__(self, identity: NodeIdentity, kind: str, describe: Callable[[], Mapping[str, Any]], clock: Callable[[], float]) -> None:
        """`kind`: `[cluster] kind`; `describe`: `info` of the node."""
        self._identity = identity
        self._kind = kind
        self._describe = describe
        self._clock = clock
        self._entered = False  # whether the others know this node
        self._beat = 0
        self._passed = Passed()
        self._rests_until = 0.0
        self.is_same = False
        """Whether an earlier speaker of the same data folder has made the row."""

    @property
    def rests(self) -> bool:
        """Whether this node takes no lease that another one may take."""
        return self._clock() < self._rests_until

    def pass_on(self, epoch: int, to: str) -> None:
        """This node gives up the lease of this epoch, for `to`, or for any other one ("")."""
        self._passed = Passed(self._identity.node, epoch, to)

    def rest(self, seconds: float) -> None:
        """Take no lease for so long that another one may take."""
        self._rests_until = self._clock() + seconds

    def count(self, shared: Shared, *, takes: bool) -> str:
        """Tell the others that this node lives; "", or why it may not say so any more. `takes`: whether it is a candidate.

        Raises StorageError.
        """
        if not self._entered:
            self._go_on(shared)
        self._beat += 1
        row = self.row(takes=takes)
        if self._entered and shared.beat(row):
            return ""
        if self._entered and (displacing := self._displacing(shared)) is not None:
            return _displaced(displacing, self._identity)
        shared.enter(row)
        self._entered = True
        return ""

    def _displacing(self, shared: Shared) -> NodeRow | None:
        """The row of what has taken this node's place: its name, or its id under another name."""
        own = self._identity
        return next((row for row in shared.nodes() if row.run != own.run and (row.node == own.node or row.id == own.id)), None)

    def _go_on(self, shared: Shared) -> None:
        """Where an earlier speaker of this node has ended."""
        former = self._present(shared)
        self.is_same = former is not None and former.id == self._identity.id
        if former is not None and self.is_same:
            self._passed = passed_of(former)
            self._rests_until = rest_of(former, self._clock())
        for row in shared.nodes():
            if row.id == self._identity.id and row.node != self._identity.node:  # it was renamed, or its folder was copied
                self._replace(shared, row)

    @staticmethod
    def _replace(shared: Shared, row: NodeRow) -> None:
        """Remove a row, which may be counted up meanwhile."""
        for _ in range(TRIES):
            if shared.forget(row.node, row):
                return
            row = next((each for each in shared.nodes() if (each.node, each.run) == (row.node, row.run)), row)

    def _present(self, shared: Shared) -> NodeRow | None:
        return next((row for row in shared.nodes() if row.node == self._identity.node), None)

    def row(self, *, takes: bool) -> NodeRow:
        """What the others know of this node. `takes`: whether it is a candidate."""
        own, info = self._identity, {**self._describe(), MAY_OWN: takes and not self.rests}
        info |= {PASSES: [self._passed.epoch, self._passed.to]} if self._passed.epoch else {}
        info |= {RESTS: self._rests_until} if self.rests else {}
        return NodeRow(own.node, own.id, own.run, self._kind, __version__, PROTOCOL, self._beat, info)


def _displaced(present: NodeRow, own: NodeIdentity) -> str:
    if present.id == own.id:
        return "another process with the same node.id serves by now; a data folder that was copied must lose that file before it is used"
    return f"another data folder is node {own.node} by now; write another name to [cluster] node"
