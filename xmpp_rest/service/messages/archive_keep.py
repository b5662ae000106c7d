"""How long items of archives are kept: the setting for all, and the accounts' own ones.

Own settings are in a store beside mod_mam's `archive_prefs`, not in it: Prosody takes every name there for an address.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from drivers import Driver
from xmpp_rest.config.readers import keep
from xmpp_rest.incidents import Incidents
from xmpp_rest.protocol.jid import JID

log = logging.getLogger("xmpp_rest.storage")

STORE = "archive_keep"
DEFAULT = "default"  # what an account without a setting of its own has
PAGE = 1000  # names that are read at a time


class KeepSettings:
    """The accounts' own settings. Methods raise StorageError."""

    def __init__(self, driver: Driver, incidents: Incidents) -> None:
        self._driver = driver
        self._incidents = incidents

    def of(self, owner: JID) -> str:
        """The setting as it was written; DEFAULT for none."""
        table = self._driver.load(owner.local, owner.domain, STORE)
        return str(table.get("keep", DEFAULT)) if isinstance(table, dict) else DEFAULT

    def set(self, owner: JID, text: str) -> None:
        """Have an account keep its items for so long; DEFAULT: as long as all others. Raises ValueError."""
        if text != DEFAULT:
            keep(text)
        self._driver.store(owner.local, owner.domain, STORE, None if text == DEFAULT else {"keep": text})

    def owners(self, domain: str, store: str, all_others: float) -> Iterator[tuple[JID, float]]:
        """Who has a setting and, unless `all_others` keep forever, who has anything in `store`: how long each keeps, in seconds.

        In the order of names, so that neither all of them nor all settings are in memory.
        """
        own = _names(self._driver, domain, STORE)
        if all_others == keep("forever"):
            yield from ((owner, self._seconds(owner, all_others)) for owner in (JID(name, domain, "") for name in own))
            return
        next_own = next(own, None)
        for name in _names(self._driver, domain, store):
            while next_own is not None and next_own < name:
                next_own = next(own, None)
            owner = JID(name, domain, "")
            yield owner, self._seconds(owner, all_others) if next_own == name else all_others

    def _seconds(self, owner: JID, all_others: float) -> float:
        try:
            text = self.of(owner)
            return all_others if text == DEFAULT else keep(text)
        except Exception as e:  # the storage refused, or another program has written this: nothing is removed on a guess
            self._incidents.report(log, "archive-keep", "how long the archive of %s is kept cannot be read: %r", owner, e)
            return keep("forever")


def _names(driver: Driver, domain: str, store: str) -> Iterator[str]:
    """The names of all users with content in a store, in order."""
    page = driver.users_page(domain, store, limit=PAGE)
    while page:
        yield from page
        page = driver.users_page(domain, store, after=page[-1], limit=PAGE)
