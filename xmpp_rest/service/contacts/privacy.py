"""Privacy lists of accounts: the store `privacy`, in the form of Prosody's mod_privacy (XEP-0016).

A table: `default`, the name of the list in force, and `lists`, from name to `{"name": …, "items": […]}`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from drivers import Driver, Place, Table
from xmpp_rest.errors import GatewayError
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.element import is_text
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.privacy import ACTIONS, MATCHES, MAX_ITEMS, MAX_ORDER, WAYS, PrivacyError, PrivacyItem, in_order

log = logging.getLogger("xmpp_rest.link")

STORE = "privacy"
MAX_LISTS = 50
MAX_NAME = 1023  # bytes
CHANGED = "privacy lists changed"  # the broadcast of an account whose lists have changed
FRESH = 1.0  # seconds for which a list is cached: another program may write to the storage too
REMEMBERED = 10_000  # accounts
_RESERVED = frozenset(("", "__array", "__hash"))  # reserved by the storage
Items = tuple[PrivacyItem, ...]


class PrivacyLists:
    """The privacy lists of the hosted accounts. Methods raise StorageError."""

    def __init__(self, driver: Driver, remote: Remote) -> None:
        self._driver = driver
        self._counting: dict[JID, tuple[float, Items]] = {}  # account → when it was read, the default list
        self._forgotten = 0  # how often a list was forgotten
        self._remote = remote
        remote.on_broadcast(CHANGED, self._forget)

    def names(self, account: JID) -> tuple[str, list[str]]:
        """The name of the default list, "" for none, and the names of all."""
        table = _table(self._driver.load(account.local, account.domain, STORE))
        return _default(table), sorted(_lists(table))

    def items(self, account: JID, name: str) -> Items | None:
        """The items of one list; None if there is none of that name."""
        return _lists(_table(self._driver.load(account.local, account.domain, STORE))).get(name)

    def counting(self, account: JID) -> Items:
        """The items of the default list; empty if there is none. Cached for FRESH seconds unless they are changed here."""
        now = time.monotonic()
        when, items = self._counting.get(account, (-FRESH, ()))
        if now - when < FRESH:
            return items
        return self._remember(account, self._driver.load(account.local, account.domain, STORE), now)

    def prepare(self, accounts: Iterable[JID]) -> None:
        """Read the default lists of these accounts together, which are about to be asked for one by one."""
        now = time.monotonic()
        old = [account for account in accounts if now - self._counting.get(account, (-FRESH, ()))[0] >= FRESH]
        forgotten = self._forgotten
        tables = self._driver.bulk_read([Place(account.local, account.domain, STORE, "keyval") for account in old])
        if forgotten == self._forgotten:  # else one may have changed meanwhile
            for account, table in zip(old, tables, strict=True):
                if not isinstance(table, Exception):
                    self._remember(account, table, now)

    def _remember(self, account: JID, stored: Table | None, now: float) -> Items:
        table = _table(stored)
        items = _lists(table).get(_default(table), ())
        if len(self._counting) >= REMEMBERED:
            self._counting.clear()
        self._counting[account] = now, items
        return items

    def changed(self, account: JID) -> None:
        """The lists of the account have changed: no process goes by the old ones."""
        try:
            self._remote.broadcast(CHANGED, account=account)
        except GatewayError as e:
            log.info("other processes notice in %g s that a privacy list of %s has changed: %s", FRESH, account, e)

    def _forget(self, account: JID) -> None:
        self._forgotten += 1
        self._counting.pop(account, None)

    def put(self, account: JID, name: str, items: Items) -> None:
        """Make a list, or replace the one of that name. Raises PrivacyError."""
        if name in _RESERVED or len(name.encode()) > MAX_NAME:
            raise PrivacyError("not-acceptable", f"name: write a text of up to {MAX_NAME} bytes")

        def change(table: dict[str, Any], lists: dict[str, Any]) -> None:
            if name not in lists and len(lists) >= MAX_LISTS:
                raise PrivacyError("resource-constraint", f"an account has at most {MAX_LISTS} lists; remove some first")
            table["lists"] = lists | {name: {"name": name, "items": list(map(_row, items))}}

        self._change(account, change)

    def remove(self, account: JID, name: str) -> None:
        """Remove a list. Raises PrivacyError for an unknown one, and for the default."""

        def change(table: dict[str, Any], lists: dict[str, Any]) -> None:
            _require(lists, name)
            if name == _default(table):
                raise PrivacyError("conflict", "the list is the default one; choose another default first, or none")
            table["lists"] = {n: content for n, content in lists.items() if n != name}

        self._change(account, change)

    def choose(self, account: JID, name: str | None) -> None:
        """Set the default list; None: no default. Raises PrivacyError for an unknown one."""

        def change(table: dict[str, Any], lists: dict[str, Any]) -> None:
            if name is None:
                table.pop("default", None)
                return
            _require(lists, name)
            table["default"] = name

        self._change(account, change)

    def _change(self, account: JID, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> None:
        def work(old: Table | None) -> Table | None:
            table = dict(_table(old))
            change(table, _raw_lists(table))
            return table if _raw_lists(table) else None

        self._driver.update(account.local, account.domain, STORE, work)
        self.changed(account)


def table_of(lists: Mapping[str, Items], default: str = "") -> Table:
    """The table of these lists, of which one may be the default."""
    rows = {name: {"name": name, "items": list(map(_row, items))} for name, items in lists.items() if name not in _RESERVED}
    return {"lists": rows} | ({"default": default} if default in rows else {})


def lists_in(table: Table | None) -> tuple[str, dict[str, Items]]:
    """The name of the default list, "" for none, and all lists of a table."""
    members = _table(table)
    return _default(members), _lists(members)


def _require(lists: dict[str, Any], name: str) -> None:
    if name not in lists:
        raise PrivacyError("item-not-found", "there is no list of that name")


def _table(stored: Table | None) -> dict[str, Any]:
    return stored if isinstance(stored, dict) else {}


def _default(table: dict[str, Any]) -> str:
    name = table.get("default")
    return name if is_text(name) else ""


def _raw_lists(table: dict[str, Any]) -> dict[str, Any]:
    lists = table.get("lists")
    return {name: content for name, content in lists.items() if name not in _RESERVED and is_text(name)} if isinstance(lists, dict) else {}


def _lists(table: dict[str, Any]) -> dict[str, Items]:
    return {name: _items(content) for name, content in _raw_lists(table).items()}


def _items(content: Any) -> Items:
    """The items in order. Invalid ones are left out: the account may write anything to its store."""
    rows = content.get("items") if isinstance(content, dict) else None
    return in_order(item for row in (rows[:MAX_ITEMS] if isinstance(rows, list) else ()) if (item := _item(row)) is not None)


def _item(row: Any) -> PrivacyItem | None:
    order, action, kind, value = map(row.get, ("order", "action", "type", "value")) if isinstance(row, dict) else (None,) * 4
    if not isinstance(order, int | float) or not 0 <= order <= MAX_ORDER or not isinstance(action, str) or action not in ACTIONS:
        return None
    if not isinstance(kind or "", str) or (kind or "") not in MATCHES or not is_text(value or ""):
        return None
    ways = frozenset(way for way in WAYS if row.get(way) is True)
    return PrivacyItem(int(order), ACTIONS[action], kind or "", value or "", ways)


def _row(item: PrivacyItem) -> dict[str, Any]:
    """The row of an item in the form of mod_privacy."""
    about = {"type": item.kind, "value": item.value} if item.kind else {}
    row: dict[str, Any] = {"action": "allow" if item.allow else "deny", "order": item.order}
    return about | row | {way: way in item.ways for way in WAYS}
