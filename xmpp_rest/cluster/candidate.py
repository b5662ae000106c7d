"""Candidate: whether this node may take the lease now (many-machines §6)."""

from __future__ import annotations

from collections.abc import Iterable

from drivers.shared import LeaseRow, NodeRow, Shared
from xmpp_rest.cluster.lease_watch import LeaseWatch
from xmpp_rest.cluster.node_beat import NodeBeat
from xmpp_rest.cluster.passing_on import passed_in

LEFT = 2  # leases after which a node that rests takes what nobody else takes


class Candidate:
    """One life of a speaker, before it owns. Used by one thread."""

    def __init__(self, hosted: str, node: str, lease: float, presence: NodeBeat, *, has_locks: bool) -> None:
        """`has_locks`: whether an owner's session holds a lock."""
        self._hosted = hosted
        self._node = node
        self._lease = lease
        self._presence = presence
        self._watch = LeaseWatch(node, lease, has_locks=has_locks)

    @property
    def row(self) -> LeaseRow | None:
        """The lease as it was last read."""
        return self._watch.row

    def saw(self, row: LeaseRow | None, now: float) -> None:
        """The lease was read so, and the answer came at `now`."""
        self._watch.saw(row, now)

    def failed(self) -> None:
        """It could not be read."""
        self._watch.failed()

    def is_owned(self, now: float) -> bool:
        """Whether a living node owns, for all that is known."""
        return self._watch.is_owned(now)

    def suspects(self, now: float, usual: float) -> bool:
        """Whether the owner seems to be gone, which has `usual` seconds between two beats."""
        return self._watch.silence(now) > 1.5 * usual

    def is_meant(self, nodes: Iterable[NodeRow]) -> bool:
        """Whether the lease was this node's, or was given up for it."""
        row = self._watch.row
        if row is None or row.node:
            return row is not None and row.node == self._node
        passed = passed_in(nodes, row.epoch)
        return passed is not None and passed.to == self._node

    def may_take(self, shared: Shared, nodes: Iterable[NodeRow], now: float) -> bool:
        """Whether the lease is nobody's, and this node is to take it. Raises StorageError."""
        if self._presence.rests and self._watch.silence(now) < LEFT * self._lease:
            return False
        row = self._watch.row
        if row is not None and not row.node:
            return self._watch.may_take_released(now, passed_in(nodes, row.epoch))
        is_own = row is not None and row.node == self._node and self._presence.is_same
        asks = self._watch.asks_for_lock(now, is_own=is_own)
        return self._watch.may_take(now, is_own=is_own, lock_is_free=asks and shared.lock_is_free(self._hosted))
