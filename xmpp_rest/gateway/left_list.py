"""A list that one owner leaves for the next, who takes it once, and soon (many-machines §11)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from drivers import Driver, StorageError
from xmpp_rest.incidents import Incidents

log = logging.getLogger("xmpp_rest.sessions")

SESSIONS = "xmpprest_sessions_left"  # a list of the domain's own: sealed, it says by what to log in
LASTS = 60.0  # seconds after which nothing that was left holds any more

Row = dict[str, Any]


class Term(NamedTuple):
    """Of one owner: its epoch, and the time of the storage (Unix)."""

    epoch: int
    now: float


class LeftList:
    """Kept as a list of the domain's own. Methods raise StorageError."""

    def __init__(self, driver: Driver, domain: str, store: str, term: Callable[[], Term]) -> None:
        """`domain`: `[gateway] domain`; `term`: of this process; raises StorageError."""
        self._driver = driver
        self._domain = domain
        self._store = store
        self._term = term

    def leave(self, rows: list[Row]) -> None:
        """Write these down."""
        epoch, now = self._term()
        self._driver.list_store(None, self._domain, self._store, [{"epoch": epoch, "now": now}, *rows])

    def take(self) -> list[Any]:
        """What the owner before this one has written down, if that was just now; it is there no longer, whichever process left it."""
        rows = _taken(self._driver, self._domain, self._store)
        if not rows:
            return []
        epoch, now = self._term()
        match rows[0]:
            case {"epoch": int(former), "now": int() | float() as then} if former + 1 == epoch and now - then < LASTS:
                return list(rows[1:])
        return []


class UnclaimedSessions:
    """For a gateway that goes on with no session: it is alone, or lets no account of another server in. A cluster may have left some."""

    def __init__(self, driver: Driver, domain: str, incidents: Incidents) -> None:
        self._driver = driver
        self._domain = domain
        self._incidents = incidents

    def leave(self) -> None:
        """There is nothing to leave."""

    def take(self) -> None:
        """Remove what is there."""
        try:
            _taken(self._driver, self._domain, SESSIONS)
        except StorageError as e:
            self._incidents.report(log, "sessions-left", "sessions that a cluster has left are not removed: %s", e)


def _taken(driver: Driver, domain: str, store: str) -> list[Any]:
    """What the list has, which is there no longer. Raises StorageError."""
    if rows := driver.list_load(None, domain, store):
        driver.list_store(None, domain, store, [])
    return rows or []
