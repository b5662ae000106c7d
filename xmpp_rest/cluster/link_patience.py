"""LinkPatience: gives up what a node owns that reaches the database, but not the XMPP server (many-machines §8)."""

from __future__ import annotations

from collections.abc import Callable

from xmpp_rest.cluster.lease_keeper import LeaseKeeper
from xmpp_rest.cluster.passing_on import LONGEST

PATIENCE = 30.0  # seconds for which an owner tries to reach the server


class LinkPatience:
    """Looks whenever the keeper does."""

    def __init__(self, keeper: LeaseKeeper, is_up: Callable[[], bool], clock: Callable[[], float]) -> None:
        """`is_up`: whether all streams of this process are up; it does not wait."""
        self._keeper = keeper
        self._is_up = is_up
        self._clock = clock
        self._down_since: float | None = None

    def look(self) -> None:
        """Give up, if it is time, and another node may own instead."""
        if not self._keeper.holds or self._is_up():
            self._down_since = None
            return
        now = self._clock()
        if self._down_since is None:
            self._down_since = now
        if now - self._down_since >= PATIENCE and self._keeper.others():
            self._keeper.give_up(f"it could not reach the XMPP server for {PATIENCE:.0f} s, and another node may", rest=LONGEST)
