"""Bans of accounts: a mark on the account record, as Prosody 13 disables accounts.

The password is kept, so that it works again after the ban is removed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drivers import Driver, Table
from xmpp_rest.auth.record import ACCOUNTS, BANNED, updated_now
from xmpp_rest.protocol.jid import JID

PAGE = 1000  # records that are read at once
DETAILS = f"{BANNED}_meta"


class Bans:
    """Bans of the accounts of `domain`."""

    def __init__(self, driver: Driver, domain: str) -> None:
        self._driver = driver
        self.domain = domain

    def ban(self, jid: JID, details: dict[str, str]) -> bool:
        """Ban the account; False if there is none, or it is banned already. Raises StorageError."""
        return self._change(jid, False, lambda record: updated_now(record | {BANNED: True, DETAILS: details}))

    def unban(self, jid: JID) -> bool:
        """Remove the ban; False if there is no account, or no ban. Raises StorageError."""
        return self._change(jid, True, lambda record: updated_now({k: v for k, v in record.items() if k not in (BANNED, DETAILS)}))

    def banned(self, jid: JID) -> bool:
        """Whether the account is banned. Raises StorageError."""
        record = self._driver.load(jid.local, jid.domain, ACCOUNTS) if jid.local else None
        return isinstance(record, dict) and bool(record.get(BANNED))

    def details(self, jid: JID) -> dict[str, str]:
        """The details stored with the ban; empty without one. Raises StorageError."""
        record = self._driver.load(jid.local, jid.domain, ACCOUNTS)
        details = record.get(DETAILS) if isinstance(record, dict) and record.get(BANNED) else None
        return {k: str(v) for k, v in details.items()} if isinstance(details, dict) else {}

    def all(self) -> list[JID]:
        """The banned accounts. Raises StorageError."""
        found: list[JID] = []
        last = ""
        while page := self._driver.tables_page(self.domain, ACCOUNTS, after=last, limit=PAGE):
            last = page[-1][0]
            found += [JID(user, self.domain, "") for user, record in page if isinstance(record, dict) and record.get(BANNED)]
        return found

    def _change(self, jid: JID, banned: bool, change: Callable[[dict[str, Any]], Table]) -> bool:
        """Apply `change` if the account exists and is, or is not, `banned`; whether it was applied."""
        done = False

        def step(record: Table | None) -> Table | None:
            nonlocal done
            done = isinstance(record, dict) and bool(record.get(BANNED)) == banned
            return change(record) if isinstance(record, dict) and done else record

        self._driver.update(jid.local, jid.domain, ACCOUNTS, step)
        return done
