"""LeaseOwner: which life of which node owns a hosted domain (many-machines §6)."""

from __future__ import annotations

from typing import NamedTuple


class LeaseOwner(NamedTuple):
    """Who owns a hosted domain. `epoch` grows by one with each owner."""

    hosted: str
    node: str
    run: str
    epoch: int
