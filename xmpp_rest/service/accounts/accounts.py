"""The accounts of the hosted domain: registration, passwords, removal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from drivers import BadValue, Driver, Table
from xmpp_rest.auth.passwords import Passwords
from xmpp_rest.auth.record import ACCOUNTS, BANNED, created_now, has_other_password, rewritten, updated_now
from xmpp_rest.auth.remembered import RememberedTables
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.events import Events
from xmpp_rest.protocol.jid import JID, InvalidJID, local_jid
from xmpp_rest.protocol.prep import PrepError
from xmpp_rest.threads.tasks import offload

PAGE = 20_000  # names that are read at once: 2 MB; a page of files costs as much as reading the names of all
QUICK = 0.1  # seconds: a count of 100,000 accounts
TIMES = 20  # as long as it took is a count kept that took longer


class Accounts:
    """The accounts of the hosted domain, in the store `accounts`."""

    def __init__(self, driver: Driver, passwords: Passwords, domain: str, events: Events) -> None:
        self._driver = driver
        self._existing: RememberedTables[bool] = RememberedTables(driver, ACCOUNTS, lambda _user, _record: True)
        self._passwords = passwords
        self.domain = domain
        self._counted = 0
        self._counted_until = 0.0  # monotonic time
        self._events = events

    def address(self, user: str, host: str) -> JID:
        """The bare address of `user` at `host`, prepared. Raises GatewayError: host-unknown, bad-localpart."""
        try:
            jid = local_jid(user, host)
        except InvalidJID as e:
            raise GatewayError("bad-localpart", f"{user!r} is not a user name: {e}") from e
        if jid.domain != self.domain:
            raise GatewayError("host-unknown", f"{host} is not hosted here")
        return jid

    def exists(self, jid: JID) -> bool:
        """Whether there is an account at this address, whatever its resource."""
        return bool(jid.local) and jid.domain == self.domain and self._existing.get(jid.local, jid.domain) is not None

    def prepare(self, accounts: Iterable[JID]) -> None:
        """Whether these exist is about to be asked for one by one: read their records together."""
        self._existing.prepare([jid.local for jid in accounts], self.domain)

    def register(self, jid: JID, password: str) -> None:
        """Make the account. Raises GatewayError: account-exists, bad-password. Of two calls at once exactly one succeeds."""
        record = created_now(offload(partial(self._record, password)))

        def make(old: Table | None) -> Table:
            if old is not None:
                raise GatewayError("account-exists", f"{jid} is registered already")
            return record

        self._driver.update(jid.local, jid.domain, ACCOUNTS, make)

    def set_password(self, jid: JID, password: str) -> None:
        """Change the password; other members of the record stay. Raises GatewayError: account-unknown, bad-password."""

        def change(old: Table | None) -> Table:
            if not isinstance(old, dict):
                raise GatewayError("account-unknown", f"{jid} is not registered")
            return updated_now(self._record(password, old))

        self._driver.update(jid.local, jid.domain, ACCOUNTS, change)
        self._events.password_changed.emit(jid.bare)

    def replace(self, user: str, record: Table, check: Callable[[Table | None], None]) -> None:
        """Replace or make the record of `user` atomically, unless `check` of the present record raises.

        Raises BadValue if `record` is not a record, and what `check` raises.
        """
        if not isinstance(record, dict):
            raise BadValue("an account is an object, with a password or the members of a SCRAM record")
        new, other = record, False

        def change(old: Table | None) -> Table:
            nonlocal other
            check(old)
            before = old if isinstance(old, dict) else None
            other = before is not None and has_other_password(before, new)
            return rewritten(before, new)

        self._driver.update(user, self.domain, ACCOUNTS, change)
        if other:
            self._events.password_changed.emit(JID(user, self.domain, ""))

    def check_password(self, jid: JID, password: str) -> bool:
        """Whether `password` is the account's; False also if there is no account, or it is banned."""
        record = self.record(jid)
        return self._passwords.check(record if record and not record.get(BANNED) else None, password)

    def record(self, jid: JID) -> dict[str, Any] | None:
        """The account record, or None if there is no account."""
        record = self._driver.load(jid.local, jid.domain, ACCOUNTS) if jid.local and jid.domain == self.domain else None
        return record if isinstance(record, dict) else None

    def unregister(self, jid: JID) -> None:
        """Remove the account and everything stored for it, if there is one."""
        existed = self.exists(jid)
        if existed:
            self._events.unregistering.emit(jid)
        self._driver.purge(jid.local, jid.domain)
        if existed:
            self._events.unregistered.emit(jid)

    def some(self, limit: int) -> list[str]:
        """The localparts of the first accounts, so many at most."""
        return self._driver.users_page(self.domain, ACCOUNTS, limit=limit)

    def count(self) -> int:
        """How many accounts there are; if counting takes longer than QUICK, the number is kept for a while."""
        began = time.monotonic()
        if began >= self._counted_until:
            self._counted = sum(1 for _ in self.users())
            took = time.monotonic() - began
            self._counted_until = began + (TIMES * took if took > QUICK else 0.0)
        return self._counted

    def users(self, after: str = "") -> Iterator[str]:
        """The localparts of all accounts, or of those that come after one, in the order of code points; read in pages."""
        while page := self._driver.users_page(self.domain, ACCOUNTS, after=after, limit=PAGE):
            yield from page
            after = page[-1]

    def _record(self, password: str, old: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            return self._passwords.record(password, old)
        except PrepError as e:
            raise GatewayError("bad-password", f"The password contains unacceptable characters: {e}") from e
