"""The protocol of a cluster: what nodes of different releases say to each other (many-machines §13).

A release understands its own number and the one before. It grows whenever frames, records or the meaning of calls change so that the
release before would not understand them.
"""

from __future__ import annotations

from collections.abc import Iterable

PROTOCOL = 1


def spoken(others: Iterable[int], own: int = PROTOCOL) -> int:
    """What a node is to speak beside these: the lowest number."""
    return min((own, *others))


def fit(one: int, other: int) -> bool:
    """Whether two nodes understand each other."""
    return abs(one - other) <= 1
