"""UnclaimedSessions: a gateway that goes on with no session removes those that a cluster may have left (many-machines §9)."""

from __future__ import annotations

import logging

from drivers import Driver, StorageError
from xmpp_rest.gateway.left_list import take_list
from xmpp_rest.incidents import Incidents

log = logging.getLogger("xmpp_rest.sessions")

STORE = "xmpprest_sessions_left"  # a list of the domain's own: sealed, it says by what to log in


class UnclaimedSessions:
    """For one that is alone, or lets no account of another server in."""

    def __init__(self, driver: Driver, domain: str, incidents: Incidents) -> None:
        """`domain`: `[gateway] domain`."""
        self._driver = driver
        self._domain = domain
        self._incidents = incidents

    def leave(self) -> None:
        """There is nothing to leave."""

    def take(self) -> None:
        """Remove what is there."""
        try:
            take_list(self._driver, self._domain, STORE)
        except StorageError as e:
            self._incidents.report(log, "sessions-left", "sessions that a cluster has left are not removed: %s", e)
