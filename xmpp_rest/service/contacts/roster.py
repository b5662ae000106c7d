"""Rosters of accounts: the store `roster` in Prosody's form, read and changed atomically (data-api §5.2).

A table: contact → item, and under the key `false` the version and the unanswered requests. Unknown members are
kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

from drivers import Driver, Table
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.element import is_text
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.service.contacts.contact import Contact
from xmpp_rest.service.contacts.remembered_rosters import KnownRoster, RememberedRosters
from xmpp_rest.service.contacts.subscriptions import SUBSCRIPTIONS, Side, SubscriptionState

ROSTER = "roster"
MAX_CONTACTS = 10_000
MAX_REQUESTS = 1_000  # pending ones, which anybody on the network can send
_RESERVED_KEYS = frozenset(("__array", "__hash"))  # of every table (drivers)
PENDING = "pending"  # the key of old tables; in today's it is one of the member `false`
_RESERVED = _RESERVED_KEYS | {PENDING}
NEITHER = (False, False)

Entries = dict[str, Any]


class RosterChange(NamedTuple):
    """The contact before and after a change, and the roster's version after it."""

    before: Contact | None
    after: Contact | None
    version: int


Edit = Callable[[Contact | None], Contact | None]


class Roster:
    """The rosters of the hosted accounts. Methods raise StorageError."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._known = RememberedRosters(driver, ROSTER, self._of_table)

    def contacts(self, owner: JID) -> list[Contact]:
        """Every contact, and every address with a pending request."""
        return _contacts(_entries(self._driver.load(owner.local, owner.domain, ROSTER)))

    def contact(self, owner: JID, jid: JID) -> Contact | None:
        """One contact; None if there is none. The cost does not depend on the others."""
        if self._driver.reads_members:
            return _contact(_entries(self._driver.load_members(owner.local, owner.domain, ROSTER, (str(jid.bare), PENDING))), jid.bare)
        entries = self._known.get(owner).entries
        return None if entries is None else _contact(entries, jid.bare)

    def audience(self, owner: JID) -> KnownRoster:
        """Who sees the presence of the account, and whose presence it sees."""
        return self._known.get(owner)

    def _of_table(self, table: Table | None) -> KnownRoster:
        entries = _entries(table)
        items = {name: item for name, item in entries.items() if isinstance(item, dict)}
        sides = {name: SUBSCRIPTIONS.get(str(item.get("subscription")), NEITHER) for name, item in items.items()}
        jids = {name: jid for name in sides if any(sides[name]) and (jid := _jid(name)) is not None}
        watched, told = (tuple(jid for name, jid in jids.items() if sides[name][way]) for way in (0, 1))
        return KnownRoster(told, watched, None if self._driver.reads_members else entries)

    def items(self, owner: JID) -> tuple[int, list[Contact]]:
        """Version and items of the roster proper (RFC 6121 §2.1)."""
        entries = _entries(self._driver.load(owner.local, owner.domain, ROSTER))
        return _version(entries), [c for c in _contacts(entries) if c.listed]

    def change(self, owner: JID, jid: JID, edit: Edit) -> RosterChange:
        """Replace the contact `jid` by the result of `edit` (None: remove it), atomically. The cost does not depend on the others.

        `edit` must not write to the storage; if it raises, nothing is changed.
        Raises GatewayError: bad-contact, roster-full; StorageError.
        """
        (change,) = self.change_all(owner, {jid.bare: edit})
        return change

    def change_all(self, owner: JID, edits: Mapping[JID, Edit]) -> list[RosterChange]:
        """As `change` for each of these bare addresses, atomically."""
        for jid in edits:
            if str(jid) in _RESERVED:
                raise GatewayError("bad-contact", f"{jid} cannot be a contact: the storage uses that word for something else")
        changes: list[RosterChange] = []

        def work(table: Table | None, count: Callable[[], int]) -> Table:
            entries = _entries(table)
            read = len(entries) - 1
            others = cache(lambda: count() - read)
            changes[:] = [_change(entries, jid, edit, others) for jid, edit in edits.items()]  # a driver may run this again
            return entries

        self._driver.update_members(owner.local, owner.domain, ROSTER, [*map(str, edits), PENDING], work)
        return changes


def table_of(contacts: Iterable[Contact]) -> Table:
    """The table of a roster of these contacts, for one that is made at once. An address that the storage reserves is left out."""
    entries = _entries(None)
    for contact in contacts:
        if str(contact.jid) not in _RESERVED:
            _write(entries, contact.jid, contact)
    return entries


def _change(entries: Entries, jid: JID, edit: Edit, others: Callable[[], int]) -> RosterChange:
    """Change one of the `entries` of a roster that has so many others."""
    before = _contact(entries, jid)
    after = edit(before)
    if after != before:
        _refuse_too_many(entries, before, after, others)
        _write(entries, jid, after)
    return RosterChange(before, after, _version(entries))


def _entries(table: Table | None) -> Entries:
    """A copy in today's form, whose `__hash` begins with the entry `false`."""
    entries = dict(table) if isinstance(table, dict) else {}
    old = entries.pop(PENDING, None)  # COMPAT: Prosody before 0.8
    flat = entries.get("__hash")
    pairs = list(zip(flat[::2], flat[1::2], strict=False)) if isinstance(flat, list) else []
    meta = next((dict(value) for key, value in pairs if key is False and isinstance(value, dict)), {})
    pending = meta.get("pending")
    meta["pending"] = {**(old if isinstance(old, dict) else {}), **(pending if isinstance(pending, dict) else {})}
    entries["__hash"] = [False, meta, *(part for key, value in pairs if key is not False for part in (key, value))]
    return entries


def _meta(entries: Entries) -> dict[str, Any]:
    meta: dict[str, Any] = entries["__hash"][1]
    return meta


def _version(entries: Entries) -> int:
    version = _meta(entries).get("version")
    return version if isinstance(version, int) and not isinstance(version, bool) else 0


def _contacts(entries: Entries) -> list[Contact]:
    names = {**dict.fromkeys(entries), **dict.fromkeys(_meta(entries)["pending"])}
    found = (_contact(entries, jid) for name in names if (jid := _jid(name)) is not None)
    return [contact for contact in found if contact]


def _jid(name: str) -> JID | None:
    """The address of a key; None for what another program has written, and cannot be addressed."""
    try:
        return None if name in _RESERVED else parse_jid(name)
    except InvalidJID:
        return None


def _contact(entries: Entries, jid: JID) -> Contact | None:
    """The contact in a table. Invalid parts are left out: the account may write anything to its store."""
    item, request = entries.get(str(jid)), _meta(entries)["pending"].get(str(jid))
    if not isinstance(item, dict):
        return Contact(jid, SubscriptionState(from_=Side.ASKED), listed=False, request=request) if request else None
    to, from_ = SUBSCRIPTIONS.get(str(item.get("subscription")), (False, False))
    asked = Side.ASKED if item.get("ask") == "subscribe" else Side.NONE
    state = SubscriptionState(Side.YES if to else asked, Side.YES if from_ else Side.ASKED if request else Side.NONE)
    groups = item.get("groups")
    return Contact(
        jid,
        state,
        name=item["name"] if is_text(item.get("name")) else "",
        groups=tuple(sorted(filter(is_text, set(groups) - _RESERVED_KEYS))) if isinstance(groups, dict) else (),
        approved=item.get("approved") == "true",
        request=request or True,
    )


def _write(entries: Entries, jid: JID, contact: Contact | None) -> None:
    meta = _meta(entries)
    pending = dict(meta["pending"])
    if contact and contact.state.from_ is Side.ASKED:
        pending[str(jid)] = contact.request
    else:
        pending.pop(str(jid), None)
    if contact and contact.listed:
        old = entries.get(str(jid))
        entries[str(jid)] = _item(old if isinstance(old, dict) else {}, contact)
    else:
        entries.pop(str(jid), None)
    meta |= {"pending": pending, "version": _version(entries) + 1}


def _item(old: dict[str, Any], contact: Contact) -> dict[str, Any]:
    known: dict[str, Any] = {
        "subscription": contact.state.subscription,
        "groups": dict.fromkeys(set(contact.groups) - _RESERVED_KEYS, True),
        "ask": "subscribe" if contact.state.to is Side.ASKED else "",
        "approved": "true" if contact.approved else "",
        "name": contact.name,
    }
    item = {key: value for key, value in old.items() if key not in known}
    return item | {key: value for key, value in known.items() if value or key == "groups"}


def _refuse_too_many(entries: Entries, before: Contact | None, after: Contact | None, others: Callable[[], int]) -> None:
    if after is None:
        return
    if after.listed and not (before and before.listed) and len(entries) - 1 + others() >= MAX_CONTACTS:
        raise GatewayError("roster-full", f"A roster holds at most {MAX_CONTACTS} contacts; remove some first")
    asks = after.state.from_ is Side.ASKED and (before is None or before.state.from_ is not Side.ASKED)
    if asks and len(_meta(entries)["pending"]) >= MAX_REQUESTS:
        raise GatewayError("roster-full", f"{MAX_REQUESTS} requests wait for an answer; further ones are refused")
