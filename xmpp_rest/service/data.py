"""What is in a store of an account, who may see it, and how is it replaced, added to, removed? (spec data-api §1.3, §2)"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from drivers import Driver, Table, Value
from xmpp_rest.auth.credentials import Caller
from xmpp_rest.auth.tokens import TOKENS, TOKENS_OF

ROLES = "roles"
ADMIN_ROLE = "prosody:admin"
GUARDED = frozenset({ROLES, TOKENS, TOKENS_OF, "auth_tokens"})
"""Stores that say who may do what, the last one to a Prosody on the same data. Whoever could write their own could be anybody.

TOKENS_OF says how many tokens there are, which is bounded.
"""

Check = Callable[[Value | None], None]
"""Is given what is in the store (None: nothing), and raises if it must not be changed."""


class Place(NamedTuple):
    """A store, or with an empty name all stores, of an account. Names are taken as they stand."""

    host: str
    user: str
    store: str = ""


class Data:
    """The stores of the hosted domains' accounts. A store has a table (keyval), or a list, or both.

    Methods raise StorageError, and BadValue for what cannot be kept.
    """

    def __init__(self, driver: Driver, domains: Iterable[str]) -> None:
        self._driver = driver
        self._domains = frozenset(domains)

    def hosts(self, host: str) -> bool:
        """Whether this domain is hosted here."""
        return host in self._domains

    def may(self, caller: Caller, place: Place, *, change: bool) -> bool:
        """Whether the caller may see this store, or `change` it: one's own, or as administrator of the host."""
        if place.host not in self._domains:
            return False
        own = (place.host, place.user) == (caller.jid.domain, caller.jid.local)
        return (own and not (change and place.store in GUARDED)) or self._administers(caller, place.host)

    def _administers(self, caller: Caller, host: str) -> bool:
        if caller.admin:
            return True
        roles = self._driver.load(caller.jid.local, host, ROLES) if caller.jid.domain == host else None
        return isinstance(roles, dict) and roles.get(ADMIN_ROLE) is True

    def table(self, place: Place) -> Table | None:
        """The table, None where there is none."""
        return self._driver.load(place.user, place.host, place.store)

    def items(self, place: Place, start: int = 0, stop: int | None = None) -> list[Value] | None:
        """The items of the list from `start` up to, not including, `stop`; None where there is no list at all."""
        return self._driver.list_load(place.user, place.host, place.store, start, stop)

    def content(self, place: Place) -> Value | None:
        """What the store shows: its table, else its list, else None."""
        table = self.table(place)
        return self.items(place) if table is None else table

    def replace(self, place: Place, table: Table | None, check: Check | None = None) -> None:
        """Replace the table, or remove it (None or empty); a list stays. No other change comes between `check` and this one."""
        if check is None:
            self._driver.store(place.user, place.host, place.store, table)
            return
        checked = check  # what a closure sees of a parameter may be None again, says the type checker

        def change(old: Table | None) -> Table | None:
            checked(self.items(place) if old is None else old)
            return table

        self._driver.update(place.user, place.host, place.store, change)

    def append(self, place: Place, item: Value, check: Check | None = None) -> None:
        """Add an item to the list; the table stays. No other change comes between `check` and this one; without it, appending is quick."""
        if check is None:
            self._driver.list_append(place.user, place.host, place.store, item)
            return
        checked = self._list_check(place, check)

        def change(items: list[Value] | None) -> list[Value]:
            checked(items)
            return [*(items or ()), item]

        self._driver.list_update(place.user, place.host, place.store, change)

    def remove(self, place: Place, check: Check | None = None) -> None:
        """Remove table and list; nothing happens where there is neither. No other change of what was checked comes in between."""
        if check is None:
            self.replace(place, None)
            self._driver.list_store(place.user, place.host, place.store, [])
            return
        tables: list[bool] = []

        def seen(content: Value | None) -> None:
            check(content)
            tables.append(self.table(place) is not None)

        self.replace(place, None, seen)
        # what was checked is gone if it was a table; a list is checked again, where it is removed
        gone = tables[-1]
        checked = self._list_check(place, check)
        self._driver.list_update(place.user, place.host, place.store, lambda items: None if gone else checked(items))

    def _list_check(self, place: Place, check: Check) -> Callable[[list[Value] | None], None]:
        """The check, for where the list is being changed: what the store shows may be a table."""

        def checked(items: list[Value] | None) -> None:
            table = self.table(place)
            check(items if table is None else table)

        return checked

    def stores(self, place: Place) -> list[tuple[str, str]]:
        """The stores of the account, by name, each with its sort: keyval, list or archive."""
        return sorted(self._driver.stores(place.user, place.host))
