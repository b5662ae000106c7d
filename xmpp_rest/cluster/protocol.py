"""The protocol of a cluster: what nodes of different releases say to each other (many-machines §13).

A release understands its own number and the one before. It grows whenever frames, records or the meaning of calls change so that the
release before would not understand them; the owner then speaks the lowest number of the nodes that live.
"""

from __future__ import annotations

PROTOCOL = 1


def fit(one: int, other: int) -> bool:
    """Whether two nodes understand each other."""
    return abs(one - other) <= 1
