"""Whom does an account have in its roster? (RFC 6121 §2; the `roster` store as Prosody keeps it)

The table holds one entry for each contact, and one with the key `false`: the roster's version and the requests that nobody has answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from drivers import Driver, Table
from xmpp_rest.protocol.jid import JID

ROSTER = "roster"  # the store
SUBSCRIPTIONS = ("none", "from", "to", "both")  # RFC 6121 §2.1.2.5
HASH = "__hash"  # drivers: the entries whose key is no string


@dataclass(frozen=True, slots=True)
class Item:
    """One contact. `pending`: none, in (it asks), out (it is asked)."""

    jid: str
    name: str = ""
    subscription: str = "none"
    groups: tuple[str, ...] = ()
    pending: str = "none"


class Rosters:
    """The rosters of accounts. Methods raise StorageError."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def items(self, jid: JID) -> list[Item]:
        """The contacts, in no particular order."""
        table = self._driver.load(jid.local, jid.domain, ROSTER)
        if not isinstance(table, dict):
            return []
        asking = _meta(table).get("pending")
        return [_item(k, v, asking) for k, v in table.items() if isinstance(v, dict) and k not in (HASH, "__array", "pending")]

    def set(self, jid: JID, item: Item) -> None:
        """Add the contact, or overwrite it; a request of its own counts as answered."""
        entry: dict[str, Any] = {"subscription": item.subscription, "groups": dict.fromkeys(item.groups, True)}
        self._change(jid, item.jid, entry | ({"name": item.name} if item.name else {}))

    def remove(self, jid: JID, contact: str) -> None:
        """Remove the contact; nothing happens where there is none."""
        if any(item.jid == contact for item in self.items(jid)):
            self._change(jid, contact, None)

    def owners(self, domain: str) -> list[JID]:
        """The accounts that have a roster."""
        return [JID(user, domain, "") for user in self._driver.users(domain, ROSTER)]

    def _change(self, jid: JID, contact: str, entry: dict[str, Any] | None) -> None:
        def step(table: Table | None) -> Table:
            kept = dict(table) if isinstance(table, dict) else {}
            kept.pop(contact, None)
            changed = kept | ({contact: entry} if entry else {})
            return changed | {HASH: _with_meta(kept, _next(_meta(kept), contact))}

        self._driver.update(jid.local, jid.domain, ROSTER, step)


def _item(jid: str, entry: dict[str, Any], asking: Any) -> Item:
    asks = isinstance(asking, dict) and jid in asking
    groups = entry.get("groups")
    return Item(
        jid,
        str(entry.get("name", "")),
        str(entry.get("subscription", "none")),
        tuple(groups) if isinstance(groups, dict) else (),
        "out" if entry.get("ask") else "in" if asks else "none",
    )


def _meta(table: dict[str, Any]) -> dict[str, Any]:
    """The entry for `false`."""
    flat = table.get(HASH) or []
    pairs = zip(flat[::2], flat[1::2], strict=False)
    return next((value for name, value in pairs if name is False and isinstance(value, dict)), {})


def _next(meta: dict[str, Any], contact: str) -> dict[str, Any]:
    """The entry for `false` after a change of `contact`."""
    version, pending = meta.get("version", 0), meta.get("pending")
    left = {k: v for k, v in pending.items() if k != contact} if isinstance(pending, dict) else {}
    return meta | {"version": version + 1 if isinstance(version, int) else 1, "pending": left}


def _with_meta(table: dict[str, Any], meta: dict[str, Any]) -> list[Any]:
    flat = table.get(HASH) or []
    others = [part for pair in zip(flat[::2], flat[1::2], strict=False) if pair[0] is not False for part in pair]
    return [*others, False, meta]
