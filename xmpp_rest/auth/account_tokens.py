"""Which tokens each account has: the store `oauth_tokens` of the account, which is also good for those that are gone or have ended.

A table, hash → end of the token, where the storage writes members alone; elsewhere a list of such pairs, which is appended to. Both are
read, as a storage may have been copied. An older gateway has written a table that is a list of hashes.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from threading import Lock
from typing import Any

from drivers import Driver, Table, Value
from xmpp_rest.protocol.jid import JID

TOKENS_OF = "oauth_tokens"
REMEMBERED = 10_000  # accounts, of each process
_HASH = re.compile(r"[0-9a-f]{64}")

Ends = dict[str, float]
"""Hash of a token → Unix time of its end."""


class AccountTokens:
    """The tokens of accounts. Methods raise StorageError."""

    def __init__(self, driver: Driver, end_of: Callable[[str], float | None]) -> None:
        """`end_of`: the end of a token that an older gateway has listed; None if it is not there."""
        self._driver = driver
        self._end_of = end_of
        self._added: OrderedDict[JID, int] = OrderedDict()  # account → tokens that were added to its list since all were read
        self._lock = Lock()

    def add(self, owner: JID, name: str, end: float, most: int, more: int) -> bool:
        """Add a token, at a cost that does not depend on the others; whether there may now be more than `most` and `more` beyond."""
        if not self._driver.reads_members:
            self._driver.list_append(owner.local, owner.domain, TOKENS_OF, [name, end])
            return self._has_added(owner, more)
        full = False

        def put(table: Table | None, count: Callable[[], int]) -> Table:
            nonlocal full
            old = _array(table)
            full = bool(old) or count() >= most + more
            return {name: end, "__array": old}

        self._driver.update_members(owner.local, owner.domain, TOKENS_OF, (name,), put)
        return full

    def _has_added(self, owner: JID, more: int) -> bool:
        """Whether `more` were added since all were read, or nobody knows when that was."""
        with self._lock:
            added = self._added.get(owner, more) + 1
            full = added > more
            self._added[owner] = 0 if full else added
            self._added.move_to_end(owner)
            if len(self._added) > REMEMBERED:
                self._added.popitem(last=False)
        return full

    def ends(self, owner: JID) -> Ends:
        """All tokens."""
        table = self._driver.load(owner.local, owner.domain, TOKENS_OF)
        return _of_list(self._driver.list_load(owner.local, owner.domain, TOKENS_OF)) | self._of_table(table)

    def forget(self, owner: JID, names: Collection[str]) -> None:
        """Take these out. What an older gateway has written is written as today."""
        place = (owner.local, owner.domain, TOKENS_OF)
        table = self._driver.load_members(*place, names)
        if _array(table):
            self._driver.update(*place, lambda table: {n: end for n, end in self._of_table(table).items() if n not in names})
        elif table is not None:
            self._driver.update_members(*place, names, lambda table, _: {n: e for n, e in _members(table).items() if n not in names})
        if self._driver.list_load(*place, 0, 1):
            self._driver.list_update(*place, lambda items: [[n, end] for n, end in _of_list(items).items() if n not in names])

    def take(self, owner: JID) -> Ends:
        """All tokens, which it then has no more."""
        place = (owner.local, owner.domain, TOKENS_OF)
        taken: Ends = {}

        def take_table(table: Table | None) -> None:
            taken.update(self._of_table(table))

        def take_items(items: list[Value] | None) -> None:
            taken.update(_of_list(items))

        if self._driver.load(*place) is not None:  # seldom, and to read costs less than to change nothing
            self._driver.update(*place, take_table)
        if self._driver.list_load(*place, 0, 1):
            self._driver.list_update(*place, take_items)
        return taken

    def _of_table(self, table: Table | None) -> Ends:
        old = ((name, self._end_of(name)) for name in _array(table) if isinstance(name, str))
        return {name: end for name, end in old if end is not None} | _pairs(_members(table).items())


def _array(table: Table | None) -> list[Any]:
    return list(table.get("__array", ())) if isinstance(table, dict) else table or []


def _members(table: Table | None) -> dict[str, Any]:
    return table if isinstance(table, dict) else {}


def _of_list(items: Iterable[Value] | None) -> Ends:
    return _pairs(item for item in items or () if isinstance(item, list) and len(item) == 2)


def _pairs(pairs: Iterable[Any]) -> Ends:
    """Those that are what this gateway writes."""
    return {name: end for name, end in pairs if isinstance(name, str) and _HASH.fullmatch(name) and isinstance(end, int | float)}
