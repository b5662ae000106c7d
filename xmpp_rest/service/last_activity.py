"""When was an account last seen, and what did it say then? (XEP-0012 §3; kept in the `last` store)"""

from __future__ import annotations

import time
from typing import NamedTuple

from drivers import Driver
from xmpp_rest.protocol.jid import JID

LAST = "last"
REGISTERED = "Registered but didn't login"


class Activity(NamedTuple):
    """Unix time in seconds, and the text of the last unavailable presence."""

    when: int
    status: str


class LastActivity:
    """The last activity of accounts; nobody's is told apart from an account's, as the store is all that counts."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def get(self, jid: JID) -> Activity | None:
        """What is kept, or None. Raises StorageError."""
        record = self._driver.load(jid.local, jid.domain, LAST)
        if not isinstance(record, dict) or not isinstance(when := record.get("timestamp"), int):
            return None
        return Activity(when, str(record.get("status", "")))

    def set(self, jid: JID, when: int, status: str) -> None:
        """Keep this as the last activity. Raises StorageError."""
        self._driver.store(jid.local, jid.domain, LAST, {"timestamp": when, "status": status})

    def registered(self, jid: JID) -> None:
        """The account was made just now."""
        self.set(jid, int(time.time()), REGISTERED)
