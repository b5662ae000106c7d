"""Pages of the names of users.

A folder has no order, so a page reads all of its names. What follows a page is remembered for its successor: a walk through a million
names reads the folder once for AHEAD of them, and has at most AHEAD in memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import NamedTuple

AHEAD = 20_000
"""Names that are read at once, at least."""
KEPT = 60.0
"""Seconds for which they are kept: a walk sees no names that came meanwhile."""
WALKS = 4
"""Walks that are under way at the same time; of more, the eldest are forgotten."""

First = Callable[[int, str], list[str]]
"""The first so many names after one, in order."""


class _Rest(NamedTuple):
    """The names that follow a page, in order; `until` which time they are kept."""

    names: list[str]
    until: float
    complete: bool


class UserPages:
    """Gives pages of names, by what they are of."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rests: dict[tuple[Hashable, str], _Rest] = {}

    def page(self, what: Hashable, after: str, limit: int, first: First) -> list[str]:
        """The first `limit` names after one. A page that follows another one, as far as that is remembered, reads nothing."""
        rest = self._rests.pop((what, after), None) if after else None
        if rest is None or rest.until < self._clock() or not (rest.complete or len(rest.names) >= limit):
            count = max(limit, AHEAD)
            found = first(count, after)
            rest = _Rest(found, self._clock() + KEPT, len(found) < count)
        page, left = rest.names[:limit], rest.names[limit:]
        if page and (left or rest.complete):
            self._rests[what, page[-1]] = rest._replace(names=left)
            for old in list(self._rests)[:-WALKS]:
                self._rests.pop(old, None)
        return page
