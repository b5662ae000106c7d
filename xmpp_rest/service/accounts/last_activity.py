"""Last activity of accounts: time and last status text, in the store `last` (XEP-0012 §3)."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from threading import Lock
from typing import NamedTuple

from drivers import Driver, StorageError
from xmpp_rest.protocol.jid import JID

log = logging.getLogger("xmpp_rest.storage")
EVERY = 300  # seconds between two writes for an active account: a write for each request would cost more than the request
REMEMBERED = 10_000  # accounts, of each process
LAST = "last"
REGISTERED = "Registered but didn't login"


class Activity(NamedTuple):
    """Unix time in seconds, and the text of the last unavailable presence."""

    when: int
    status: str


def activity_of(record: object) -> Activity | None:
    """The activity in a table of the store; None if it has none."""
    if not isinstance(record, dict) or not isinstance(when := record.get("timestamp"), int):
        return None
    return Activity(when, str(record.get("status", "")))


class LastActivity:
    """The last activity of accounts. Whether an account exists is not checked."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._noted: OrderedDict[JID, float] = OrderedDict()  # account → monotonic time
        self._lock = Lock()

    def get(self, jid: JID) -> Activity | None:
        """The last activity, or None. Raises StorageError."""
        return activity_of(self._driver.load(jid.local, jid.domain, LAST))

    def set(self, jid: JID, when: int, status: str) -> None:
        """Store this as the last activity. Raises StorageError."""
        self._driver.store(jid.local, jid.domain, LAST, {"timestamp": when, "status": status})
        with self._lock:
            self._noted.pop(jid.bare, None)

    def record(self, jid: JID) -> None:
        """Record that the account is active now, unless that was done recently. A failing storage is only logged."""
        now = time.monotonic()
        with self._lock:
            if now - self._noted.get(jid, -EVERY) < EVERY:
                return
            self._noted[jid] = now
            if len(self._noted) > REMEMBERED:
                self._noted.popitem(last=False)
        try:
            self._driver.store(jid.local, jid.domain, LAST, {"timestamp": int(time.time()), "status": ""})
        except StorageError as e:
            log.warning("the last activity of %s is not noted: %s", jid, e)

    def registered(self, jid: JID) -> None:
        """Record that the account was made now."""
        self.set(jid, int(time.time()), REGISTERED)
