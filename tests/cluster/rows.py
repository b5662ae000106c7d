"""Rows of nodes, for tests."""

from __future__ import annotations

from typing import Any

from drivers.shared import NodeRow


def row(node: str, beat: int = 1, protocol: int = 1, version: str = "0.2.0", **info: Any) -> NodeRow:
    """A row; `info`: what the node tells of itself."""
    return NodeRow(node, "0" * 16, f"run-{node}", "postgresql", version, protocol, beat, info)
