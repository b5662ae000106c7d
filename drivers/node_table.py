"""The rows by which the gateways of one domain know of each other, where several machines can reach a storage."""

# many-machines §5

from __future__ import annotations

from typing import Protocol

from drivers.shared import NodeRow


class NodeTable(Protocol):
    """The rows of the gateways of one domain; `Shared` has the same. Methods raise StorageError."""

    def enter(self, own: NodeRow) -> NodeRow | None:
        """Make the node's row, or replace it; what was there, of whatever run."""

    def beat(self, own: NodeRow) -> bool:
        """Count the beat of the node's row up; False: the row is another run's by now, or gone."""

    def nodes(self) -> list[NodeRow]:
        """All rows, by name."""

    def forget(self, node: str, seen: NodeRow) -> bool:
        """Remove the row of a node, unless it is another than was seen; whether it was."""
