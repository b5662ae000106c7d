"""Rights on the stores of accounts: one table of stores, with who may read and write them (data-api §1.3; decision 0017)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import NamedTuple

from drivers import Driver
from xmpp_rest.auth.account_tokens import TOKENS_OF
from xmpp_rest.auth.caller import Caller
from xmpp_rest.auth.prosody_tokens import GRANTS
from xmpp_rest.auth.record import ACCOUNTS
from xmpp_rest.auth.roles import ROLES, ROLES_13, administers
from xmpp_rest.auth.scopes import ADMIN_SCOPE
from xmpp_rest.auth.shared_keys import STORE as SHARED_KEYS
from xmpp_rest.auth.tokens import TOKENS
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.hooks.stored import HOOK, HOOK_TOKEN, HOOK_USE, HOOKS_OF, NUMBERS

USAGE = "data_usage"  # the store of an account's usage of all others


class StoreKey(NamedTuple):
    """A store, or with an empty name all stores, of an account. Names are not prepared."""

    host: str
    user: str
    store: str = ""


class Level(NamedTuple):
    """The owner's rights on a store, and the limits of administrators by role. Configured administrators may do everything."""

    reads: bool = True
    writes: bool = True
    by_token: bool = True
    """Whether a token that acts as the account is sufficient."""
    by_role: bool = True
    """Whether an administrator by role may write it, in any account."""
    secret: bool = False
    """Whether its content allows to act as the account: administrators by role may not read that of configured administrators."""


OWN = Level()
CREDENTIALS = Level(by_token=False, secret=True)  # otherwise a token would be as good as the password forever
GUARDED = Level(writes=False)  # roles, rights or activity: an account that could write its own could become anybody
TOKEN_STORE = Level(writes=False, by_token=False, secret=True)
ALL_TOKENS = Level(writes=False, by_token=False, by_role=False, secret=True)  # a forged entry would authenticate as any administrator
INTERNAL = Level(reads=False, writes=False)  # read by the gateway on the assumption that it wrote it

STORES = {
    ACCOUNTS: CREDENTIALS,
    ROLES: GUARDED, ROLES_13: GUARDED, "last": GUARDED, "presence": GUARDED,
    # COMPAT Prosody: activity of accounts, and accounts that are about to be removed
    "account_activity": GUARDED, "accounts_cleanup": GUARDED, "tombstones": GUARDED,
    GRANTS: TOKEN_STORE, TOKENS_OF: TOKEN_STORE,
    TOKENS: ALL_TOKENS, "oauth_client": ALL_TOKENS, SHARED_KEYS: ALL_TOKENS,
    USAGE: GUARDED, "archive_keep": GUARDED, "jobs": INTERNAL, "motd": INTERNAL, "scheduled": INTERNAL, "shared_roster_groups": INTERNAL,
    HOOK: ALL_TOKENS, HOOK_TOKEN: ALL_TOKENS, HOOK_USE: INTERNAL, HOOKS_OF: INTERNAL, NUMBERS: INTERNAL,
    "hook_matters": INTERNAL, "hook_published": INTERNAL,
    "muc_heard": INTERNAL, "muc_heard_rooms": INTERNAL, "rooms_anywhere": INTERNAL,
    "muc": INTERNAL, "muc_history": INTERNAL, "muc_registered": INTERNAL, "muc_rooms": INTERNAL,
    "muclight": INTERNAL, "muclight_blocking": INTERNAL, "muclight_rooms": INTERNAL,
}  # fmt: skip
"""The stores that their owner may not freely read and write."""
FAMILIES = {
    re.compile(r"callback_.*_dead"): INTERNAL,
    re.compile(r"idempotency_[0-9a-f]"): INTERNAL,
    re.compile(r"hook_once_[0-9a-f]{1,3}"): INTERNAL,
    re.compile(r"scheduled_[0-9]+"): INTERNAL,
}
"""The same, for all stores with names of this form."""


def level_of(store: str) -> Level:
    """The level of a store by its name."""
    return STORES.get(store) or next((level for form, level in FAMILIES.items() if form.fullmatch(store)), OWN)


class DataRights:
    """The rights of callers on the stores of the accounts of `domains`. `is_admin`: whether an address is a configured administrator's."""

    def __init__(self, driver: Driver, domains: Collection[str], is_admin: Callable[[JID], bool]) -> None:
        self._driver = driver
        self._domains = frozenset(domains)
        self._is_admin = is_admin

    def hosts(self, host: str) -> bool:
        """Whether this domain is hosted here."""
        return host in self._domains

    def refusal(self, caller: Caller, place: StoreKey, *, change: bool) -> str | None:
        """The reason why the caller may not read this store, or `change` it; None if it may. Raises StorageError."""
        if place.host not in self._domains:
            return "The domain is not hosted here"
        if caller.admin:
            return None
        level = level_of(place.store)
        if (place.host, place.user) == (caller.jid.domain, caller.jid.local):
            if caller.is_account and (level.writes if change else level.reads) and (level.by_token or not caller.by_token):
                return None
            if change and not level.writes:
                return f"The store {place.store!r} of one's own account is not one's own to write; another administrator may"
            if not self._by_role(caller, place.host):
                return _why_not_own(caller, place, level)
        elif not self._by_role(caller, place.host):
            return "Only administrators may do this; others have the stores of their own account, on a domain hosted here"
        return self._not_by_role(place, level, change)

    def _by_role(self, caller: Caller, host: str) -> bool:
        return caller.may_administer and caller.jid.domain == host and administers(self._driver, caller.jid.local, host)

    def _not_by_role(self, place: StoreKey, level: Level, change: bool) -> str | None:
        """The reason why an administrator by role may not: it must not gain the rights of a configured one."""
        if change and not level.by_role:
            return f"Only configured administrators ([auth] admins) write the store {place.store!r}"
        if (change or level.secret) and self._is_admin(JID(place.user, place.host, "")):
            return "The account is a configured administrator's ([auth] admins), which an administrator by role does not administer"
        return None


def _why_not_own(caller: Caller, place: StoreKey, level: Level) -> str:
    if not level.reads:
        return f"The store {place.store!r} is the gateway's own"
    what = f"open the store {place.store!r}" if caller.is_account else "act as the account"
    return f"This token does not {what}; use the password, or an administrator's token with the scope {ADMIN_SCOPE}"
