"""The gateway's own storage as a source: yields its accounts as neutral records, for an export."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from xml.etree.ElementTree import Element

from drivers import ArchiveItem, Driver, StorageError
from drivers.stanzas import stanza_text
from xmpp_rest.auth.record import ACCOUNTS, BANNED, CREATED, Record, salt_of
from xmpp_rest.importing import records as r
from xmpp_rest.importing.collected import PREFERENCES
from xmpp_rest.importing.credentials import PREFERRED
from xmpp_rest.protocol.datetimes import parse_datetime
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.parse import parse_stored, parse_text
from xmpp_rest.service.accounts.bans import DETAILS
from xmpp_rest.service.accounts.pep import NODES
from xmpp_rest.service.accounts.private_storage import PRIVATE
from xmpp_rest.service.accounts.vcards import VCARD
from xmpp_rest.service.contacts import block_lists, privacy
from xmpp_rest.service.contacts.roster import Roster
from xmpp_rest.service.contacts.subscriptions import Side
from xmpp_rest.service.messages.archive import ARCHIVE
from xmpp_rest.service.messages.offline import OFFLINE

BATCH = 500  # names of accounts that are read at a time
PEP = f"{NODES}_"
"""Prefix of the names of the stores with published items."""
Parts = Iterator[r.AccountPart]


class OwnAccounts:
    """The accounts of `domain` in a storage, by name. What cannot be read is a part of the kind LeftOut. Methods raise StorageError."""

    def __init__(self, driver: Driver, domain: str) -> None:
        self._driver = driver
        self._domain = domain
        self._roster = Roster(driver)

    def all(self) -> Iterator[r.Account]:
        """Every account, with its parts in a fixed order: credentials first, and archives last."""
        after = ""
        while names := self._driver.users_page(self._domain, ACCOUNTS, after=after, limit=BATCH):
            for name in names:
                yield r.Account(name, self._domain, self._parts(JID(name, self._domain, "")))
            after = names[-1]

    def _parts(self, jid: JID) -> Parts:
        yield from _credentials(self._table(jid, ACCOUNTS))
        yield from self._archive(jid, OFFLINE, lambda item, stanza: r.OfflineMessage(stanza, item.when))
        if card := self._driver.load(jid.local, jid.domain, VCARD):
            yield _of_element(r.Card, card)
        default, lists = privacy.lists_in(self._driver.load(jid.local, jid.domain, privacy.STORE))
        yield from (r.PrivacyList(name, items, name == default) for name, items in lists.items())
        yield from self._contacts(jid)
        yield from (_of_element(r.Private, each) for each in self._table(jid, PRIVATE).values())
        blocked = block_lists.blocked_in(self._driver.load(jid.local, jid.domain, block_lists.STORE))
        yield from (r.BlockedAddress(str(each)) for each in sorted(blocked, key=str))
        yield from _preferences(self._table(jid, PREFERENCES))
        yield from self._published(jid)
        yield from self._archive(jid, ARCHIVE, lambda item, stanza: r.Archived(item.id, item.when, item.with_, stanza))

    def _table(self, jid: JID, store: str) -> dict[str, Any]:
        table = self._driver.load(jid.local, jid.domain, store)
        return table if isinstance(table, dict) else {}

    def _contacts(self, jid: JID) -> Parts:
        for contact in self._roster.contacts(jid):
            state = contact.state
            asks_in = state.from_ is Side.ASKED
            request = _presence(contact.request) if asks_in and isinstance(contact.request, dict) else None
            yield r.RosterItem(
                str(contact.jid), state.subscription, contact.name, contact.groups, state.to is Side.ASKED, asks_in,
                contact.approved, contact.listed, request,
            )  # fmt: skip

    def _published(self, jid: JID) -> Parts:
        nodes = self._table(jid, NODES)
        for name, settings in nodes.items():
            yield _node(name, settings if isinstance(settings, dict) else {})
        for store, sort in self._driver.stores(jid.local, jid.domain):
            if sort == "archive" and store.startswith(PEP):
                node = store.removeprefix(PEP)
                yield from self._archive(jid, store, _item_of(node))

    def _archive(self, jid: JID, store: str, part: Callable[[ArchiveItem, Element], r.AccountPart]) -> Parts:
        for item in self._driver.archive_find(jid.local, jid.domain, store):
            try:
                yield part(item, parse_stored(item.stanza))
            except BadXML as e:
                yield r.LeftOut(store, f"the item {item.id}: {e}")


def _item_of(node: str) -> Callable[[ArchiveItem, Element], r.AccountPart]:
    return lambda item, payload: r.PepItem(node, item.id, item.with_, payload, item.when)


def _credentials(record: Record) -> Parts:
    found = list(_passwords(record))
    if (made := record.get(CREATED)) and isinstance(made, int | float):
        yield r.Made(float(made))
    if not record.get(BANNED):
        yield from found
        return
    details = record.get(DETAILS)
    kept = details if isinstance(details, dict) else {}
    when, last = (_time(kept.get(name)) for name in ("bandate", "lastdate"))
    yield r.Disabled(str(kept.get("reason", "")), when, last, str(kept.get("lastreason", "")), tuple(found))


def _passwords(record: Record) -> Iterator[r.Password | r.Scram]:
    password = record.get("password")
    if isinstance(password, str) and password:
        yield r.Password(password)
        return
    try:
        stored, server = (bytes.fromhex(str(record.get(name, ""))) for name in ("stored_key", "server_key"))
    except ValueError:
        return
    salt, count = salt_of(record), record.get("iteration_count")
    mechanism = next((name for name, size in PREFERRED.items() if size == len(stored)), None)
    if mechanism and salt and isinstance(count, int | float):
        yield r.Scram(mechanism, int(count), salt, stored, server)


def _of_element(kind: Callable[[Element], r.AccountPart], table: Any) -> r.AccountPart:
    try:
        return kind(parse_text(stanza_text(table)))
    except (StorageError, BadXML) as e:
        return r.LeftOut(r.KINDS.get(kind, "elements") if isinstance(kind, type) else "elements", str(e))


def _presence(table: dict[str, Any]) -> Element | None:
    try:
        return parse_text(stanza_text(table))
    except (StorageError, BadXML):
        return None


def _preferences(table: dict[str, Any]) -> Parts:
    flat = table.get("__hash")
    default = flat[1] if isinstance(flat, list) and len(flat) > 1 and flat[0] is False else None
    words: dict[Any, str] = {True: "always", False: "never", "roster": "roster"}
    entries = {jid: flag for jid, flag in table.items() if isinstance(flag, bool)}
    if default in words or entries:
        always, never = (tuple(jid for jid, flag in entries.items() if flag is wanted) for wanted in (True, False))
        yield r.ArchivePreferences(words.get(default, "roster"), always, never)


def _node(name: str, settings: dict[str, Any]) -> r.PepNode:
    def members(key: str) -> dict[str, Any]:
        found = settings.get(key)
        return found if isinstance(found, dict) else {}

    config = {key: value for key, value in members("config").items() if isinstance(value, str | bool | int)}
    affiliations = {jid: str(word) for jid, word in members("affiliations").items()}
    return r.PepNode(name, config, affiliations, tuple(members("subscribers")))


def _time(text: object) -> float | None:
    try:
        return parse_datetime(str(text))
    except ValueError:
        return None
