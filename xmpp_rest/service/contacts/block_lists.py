"""The block lists of accounts: the `blocklist` store, in the form of Prosody's mod_blocklist (XEP-0191; data-api §5).

A table: address → the Unix time at which it was blocked (`true` in old data), and under the key `false` a table with `created` and
`modified`, which tells Prosody that there is nothing to migrate from the store `privacy`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from drivers import Driver, Place, Table
from xmpp_rest.errors import GatewayError
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid

log = logging.getLogger("xmpp_rest.link")

STORE = "blocklist"
CHANGED = "block list changed"  # the broadcast of an account whose list has changed
MAX_ITEMS = 1_000  # that an account can add; a longer list of another program is respected
FRESH = 1.0  # seconds for which a list is cached: another program may write to the storage too
REMEMBERED = 10_000  # accounts
_RESERVED = frozenset(("__array", "__hash"))  # of every table (drivers)
Blocked = frozenset[JID]


class BlockListChange(NamedTuple):
    """The blocked addresses before and after a change."""

    before: Blocked
    after: Blocked


class _Read(NamedTuple):
    """The cached list of an account."""

    when: float  # monotonic time
    table: Table | None
    blocked: Blocked


_NOTHING = _Read(-FRESH, None, frozenset())


def matches(blocked: Blocked, other: JID) -> bool:
    """Whether an address is blocked: it, its account at every resource, or its whole domain (XEP-0191 §5)."""
    return bool(blocked) and (other in blocked or other.bare in blocked or JID("", other.domain, "") in blocked)


def can_be_kept(jid: JID) -> bool:
    """Whether the address can be a key in the storage, which reserves two words that may be domains."""
    return str(jid) not in _RESERVED


class BlockLists:
    """The block lists of the hosted accounts. Methods raise StorageError."""

    def __init__(self, driver: Driver, remote: Remote) -> None:
        self._driver = driver
        self._remembered: dict[JID, _Read] = {}
        self._forgotten = 0  # how often a list was forgotten
        self._remote = remote
        remote.on_broadcast(CHANGED, self._forget)

    def items(self, account: JID) -> list[JID]:
        """The blocked addresses as they are now, sorted."""
        return sorted(blocked_in(self._driver.load(account.local, account.domain, STORE)), key=str)

    def of(self, account: JID) -> Blocked:
        """The blocked addresses, cached for FRESH seconds unless they are changed here."""
        now = time.monotonic()
        old = self._remembered.get(account, _NOTHING)
        if now - old.when < FRESH:
            return old.blocked
        return self._remember(account, self._driver.load(account.local, account.domain, STORE), now)

    def prepare(self, accounts: Iterable[JID]) -> None:
        """Read the lists of these accounts together, which are about to be asked for one by one."""
        now = time.monotonic()
        old = [account for account in accounts if now - self._remembered.get(account, _NOTHING).when >= FRESH]
        forgotten = self._forgotten
        tables = self._driver.bulk_read([Place(account.local, account.domain, STORE, "keyval") for account in old])
        if forgotten == self._forgotten:  # else one may have changed meanwhile
            for account, table in zip(old, tables, strict=True):
                if not isinstance(table, Exception):
                    self._remember(account, table, now)

    def _remember(self, account: JID, table: Table | None, now: float) -> Blocked:
        old = self._remembered.get(account, _NOTHING)
        blocked = old.blocked if table == old.table else blocked_in(table)  # avoids preparing a long list every second
        if len(self._remembered) >= REMEMBERED:
            self._remembered.clear()
        self._remembered[account] = _Read(now, table, blocked)
        return blocked

    def blocks(self, account: JID, other: JID) -> bool:
        """Whether the account (a bare address) has blocked `other`; never itself."""
        return matches(self.of(account), other) and other.bare != account

    def changed(self, account: JID) -> None:
        """The list of the account has changed: no process goes by the old one."""
        try:
            self._remote.broadcast(CHANGED, account=account)
        except GatewayError as e:
            log.info("other processes notice in %g s that the block list of %s has changed: %s", FRESH, account, e)

    def _forget(self, account: JID) -> None:
        self._forgotten += 1
        self._remembered.pop(account, None)

    def block(self, account: JID, jids: Iterable[JID]) -> BlockListChange:
        """Add addresses. Raises GatewayError, blocklist-full; then none is added."""
        new = {str(jid) for jid in jids}

        def add(table: dict[str, Any]) -> dict[str, Any]:
            now = int(time.time())
            known = blocked_in(table)
            added = {name: now for name in sorted(new) if parse_jid(name) not in known}
            if added and len(known) + len(added) > MAX_ITEMS:
                raise GatewayError("blocklist-full", f"A block list holds {MAX_ITEMS} addresses at most; unblock some first")
            return table | added

        return self._change(account, add)

    def unblock(self, account: JID, jids: Iterable[JID] | None) -> BlockListChange:
        """Remove addresses; None: all of them. Those that are not blocked are ignored."""
        gone = None if jids is None else frozenset(jids)

        def remove(table: dict[str, Any]) -> dict[str, Any]:
            return {name: when for name, when in table.items() if gone is not None and _jid(name) not in gone}

        return self._change(account, remove)

    def _change(self, account: JID, change: Callable[[dict[str, Any]], dict[str, Any]]) -> BlockListChange:
        changes: list[BlockListChange] = []

        def work(old: Table | None) -> Table:
            table = dict(old) if isinstance(old, dict) else {}
            about = table.pop("__hash", None)
            table.pop("__array", None)
            after = change(table)
            changes[:] = [BlockListChange(blocked_in(table), blocked_in(after))]  # a driver may run this again
            return {"__hash": _noted(about), **after}

        self._driver.update(account.local, account.domain, STORE, work)
        self.changed(account)
        return changes[0]


def table_of(jids: Iterable[JID]) -> Table:
    """The table of a block list of these addresses, which are blocked since now."""
    return {"__hash": _noted(None), **{str(jid): int(time.time()) for jid in jids if can_be_kept(jid)}}


def _noted(about: Any) -> list[Any]:
    """The entries whose keys are not text, with the time of this change."""
    now = int(time.time())
    pairs = list(zip(about[::2], about[1::2], strict=False)) if isinstance(about, list) else []
    kept = next((value for key, value in pairs if key is False), None)
    note = kept | {"modified": now} if isinstance(kept, dict) else kept or {"created": now}  # as mod_blocklist does
    return [False, note, *(part for key, value in pairs if key is not False for part in (key, value))]


def blocked_in(table: Table | None) -> Blocked:
    """The addresses in a table. Invalid ones are left out: the account may write anything to its store. A 0 is true, as in Lua."""
    if not isinstance(table, dict):
        return frozenset()
    found = (_jid(name) for name, when in table.items() if when is not False and when is not None)
    return frozenset(jid for jid in found if jid is not None)


def _jid(name: str) -> JID | None:
    try:
        return None if name in _RESERVED else parse_jid(name)
    except InvalidJID:
        return None
