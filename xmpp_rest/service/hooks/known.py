"""Finding hooks: those that accounts made, in the storage, and those of the configuration.

A hook is a table of its own. The hash of its token leads to its name by another table, so that a look-up costs two reads of remembered
tables however many hooks there are. A hook counts once its own table is there, and a token once that table has its hash.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator

from drivers import Driver, Table
from xmpp_rest.auth.record import ACCOUNTS, BANNED, CREATED
from xmpp_rest.auth.remembered import RememberedTables
from xmpp_rest.config.hook_check import NAME
from xmpp_rest.config.table import Settings
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.hooks.configured import Configured
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.hooks.owned import Owned
from xmpp_rest.service.hooks.stored import HOOK, HOOK_TOKEN, StoredHook, read_stored, user_of
from xmpp_rest.service.hooks.tokens import hash_of, is_token

PAGE = 500  # hooks that a listing reads at once


class KnownHooks:
    """All hooks, as they are known by name, token and owner. Methods raise StorageError."""

    def __init__(self, driver: Driver, settings: Settings, is_admin: Callable[[JID], bool]) -> None:
        self._driver = driver
        self._domain = settings.gateway.domain
        self._is_admin = is_admin
        self._settings = settings
        self._configured = Configured(settings)
        self._stored = RememberedTables(driver, HOOK, read_stored)
        self._names = RememberedTables(driver, HOOK_TOKEN, _named_by)
        self._accounts = RememberedTables(driver, ACCOUNTS, _account)
        self._owned = Owned(driver)

    def by_token(self, token: str) -> Hook | None:
        """The hook with this token, if it can be used: see `is_usable`."""
        if not is_token(token):
            return None
        hashed = hash_of(token)
        name = self._configured.name_of(hashed) or self._names.get(hashed, self._domain)
        hook = self.named(name) if name else None
        if hook is None or not hmac.compare_digest(self._hash(hook.name), hashed):
            return None
        return hook if self.is_usable(hook) else None

    def holds(self, name: str, token: str) -> Hook | None:
        """The hook of this name, if this is its token, and it can be used."""
        hook = self.by_token(token)
        return hook if hook is not None and hook.name == name.lower() else None

    def named(self, name: str) -> Hook | None:
        """The hook of this name, unless it has expired."""
        name = name.lower()
        if not NAME.fullmatch(name):
            return None
        if name in self._configured:
            return self._configured.get(name, self._driver, self._domain)
        stored = self._stored.get(user_of(name), self._domain)
        hook = None if stored is None else self._hook(stored)
        return None if hook is None or hook.has_expired else hook

    def is_usable(self, hook: Hook) -> bool:
        """Whether requests to it are taken: its owner's account is there, is the one that it was made for, and is not banned."""
        owner = hook.owner
        if owner == self._settings.hooks.address:
            return True
        if not owner.local or owner.domain != self._domain:
            return False
        created = self._accounts.get(owner.local, owner.domain)
        return created is not None and created <= hook.owned

    def of(self, owner: JID | None) -> list[Hook]:
        """The hooks of this owner, or of all (None), by name."""
        if owner is None or owner == self._settings.hooks.address:
            found = {hook.name: hook for hook in self._all()}
        else:
            names = self._owned.names(owner)
            self._stored.prepare([user_of(name) for name in names], self._domain)
            hooks = (self.named(name) for name in names)
            found = {hook.name: hook for hook in hooks if hook is not None}
        found |= {name: hook for name in self._configured if (hook := self.named(name)) is not None}
        return [found[name] for name in sorted(found) if owner is None or found[name].owner == owner]

    def version(self, hook: Hook) -> int:
        """What differs once somebody has changed a member of the hook of this number."""
        stored = self._stored.get(user_of(hook.name), self._domain)
        return stored.version if stored is not None and stored.number == hook.number else 0

    def _all(self) -> Iterator[Hook]:
        """All hooks of the storage that have not expired."""
        last = ""
        while page := self._driver.tables_page(self._domain, HOOK, after=last, limit=PAGE):
            last = page[-1][0]
            hooks = (self._hook(stored) for stored in (read_stored(user, table) for user, table in page) if stored is not None)
            yield from (hook for hook in hooks if not hook.has_expired)

    def _hook(self, stored: StoredHook) -> Hook:
        address = self._settings.hooks.address
        owner = stored.owner
        return stored.to_hook(address, speaks_as=address if owner is None or self._is_admin(owner) else owner)

    def _hash(self, name: str) -> str:
        if name in self._configured:
            return self._configured.hash_of(name)
        stored = self._stored.get(user_of(name), self._domain)
        return stored.hash if stored is not None else ""


def _named_by(_: str, table: Table) -> str | None:
    """The name of the hook that a token leads to."""
    name = table.get("hook") if isinstance(table, dict) else None
    return name if isinstance(name, str) else None


def _account(_: str, table: Table) -> float | None:
    """When an account was made, 0 if nobody knows; None for one that is banned."""
    if not isinstance(table, dict) or table.get(BANNED):
        return None
    created = table.get(CREATED)
    return float(created) if isinstance(created, int | float) and not isinstance(created, bool) else 0.0
