"""The small parts of one account, collected and converted to the tables in which the services keep them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

from drivers import StorageError, Table
from drivers.stanzas import stanza_table
from xmpp_rest.auth.passwords import Passwords
from xmpp_rest.auth.record import Record
from xmpp_rest.importing import credentials
from xmpp_rest.importing import records as r
from xmpp_rest.importing.domains import Domains
from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.jid import JID, InvalidJID
from xmpp_rest.protocol.privacy import in_order
from xmpp_rest.service.accounts.last_activity import LAST
from xmpp_rest.service.accounts.pep import NODES
from xmpp_rest.service.accounts.private_storage import PRIVATE, key
from xmpp_rest.service.accounts.vcards import VCARD
from xmpp_rest.service.contacts import block_lists, privacy, roster
from xmpp_rest.service.contacts.contact import Contact
from xmpp_rest.service.contacts.subscriptions import SUBSCRIPTIONS, Side, SubscriptionState

PREFERENCES = "archive_prefs"  # in the form of Prosody's mod_mam
_DEFAULTS: dict[str, Any] = {"always": True, "never": False, "roster": "roster"}
ROSTER, LISTS, NODE = r.KINDS[r.RosterItem], r.KINDS[r.PrivacyList], r.KINDS[r.PepNode]


class CollectedTable(NamedTuple):
    """A table to be stored, and what it holds, by kind."""

    store: str
    table: Table
    counts: Counter[str]


class Collected:
    """Takes the parts of one account, and yields its tables. `refuse` is told what is left out: kind and reason."""

    def __init__(self, domains: Domains, refuse: Callable[[str, str], None]) -> None:
        self._domains = domains
        self._refuse = refuse
        self._password: str | None = None
        self._scrams: list[r.Scram] = []
        self._made: float | None = None
        self._disabled: r.Disabled | None = None
        self._contacts: dict[JID, Contact] = {}
        self._blocked: dict[JID, None] = {}
        self._lists: dict[str, r.PrivacyList] = {}
        self._nodes: dict[str, Any] = {}
        self._private: dict[str, Any] = {}
        self._single: dict[str, CollectedTable] = {}
        self._takers: dict[type, Callable[[Any], None]] = {
            r.Password: self._take_password,
            r.Scram: self._scrams.append,
            r.Made: self._take_time,
            r.Disabled: self._take_ban,
            r.RosterItem: self._take_contact,
            r.Card: self._take_card,
            r.Private: self._take_private,
            r.PrivacyList: self._take_list,
            r.BlockedAddress: self._take_blocked,
            r.ArchivePreferences: self._take_preferences,
            r.PepNode: self._take_node,
            r.LastSeen: self._take_activity,
        }

    def take(self, part: Any) -> None:
        """Add a part."""
        try:
            self._takers[type(part)](part)
        except (BadXML, StorageError, InvalidJID, ValueError) as e:
            self._refuse(r.KINDS.get(type(part), r.ACCOUNTS), str(e))

    def record(self, passwords: Passwords, remark: Callable[..., None], old: Record) -> Record:
        """The record of the account, in place of the `old` one; empty for none."""
        hidden = self._disabled.credentials if self._disabled else ()
        password, scrams = self._password, self._scrams
        if hidden:
            password = next((each.text for each in hidden if isinstance(each, r.Password)), None)
            scrams = [each for each in hidden if isinstance(each, r.Scram)]
        found = credentials.members(password, scrams, passwords, remark) or credentials.kept(old)
        disabled = credentials.ban(self._disabled) if self._disabled else {}
        return {**found, **credentials.times(self._made, old), **disabled}

    def tables(self) -> Iterator[CollectedTable]:
        """All tables but the record."""
        yield from self._single.values()
        if self._contacts:
            yield CollectedTable(roster.ROSTER, roster.table_of(self._contacts.values()), Counter({ROSTER: len(self._contacts)}))
        if self._blocked:
            counts = Counter({r.KINDS[r.BlockedAddress]: len(self._blocked)})
            yield CollectedTable(block_lists.STORE, block_lists.table_of(self._blocked), counts)
        if self._lists:
            default = next((each.name for each in self._lists.values() if each.default), "")
            table = privacy.table_of({name: each.items for name, each in self._lists.items()}, default)
            yield CollectedTable(privacy.STORE, table, Counter({LISTS: len(self._lists)}))
        if self._private:
            yield CollectedTable(PRIVATE, self._private, Counter({r.KINDS[r.Private]: len(self._private)}))
        if self._nodes:
            yield CollectedTable(NODES, self._nodes, Counter({NODE: len(self._nodes)}))

    def _take_password(self, part: r.Password) -> None:
        self._password = part.text

    def _take_time(self, part: r.Made) -> None:
        self._made = part.when

    def _take_ban(self, part: r.Disabled) -> None:
        self._disabled = part if self._disabled is None or part.credentials or part.reason else self._disabled

    def _take_contact(self, part: r.RosterItem) -> None:
        jid = self._domains.jid(part.jid).bare
        to, from_ = SUBSCRIPTIONS.get(part.subscription, (False, False))
        asked, asks = (Side.ASKED if flag else Side.NONE for flag in (part.ask_out, part.ask_in))
        state = SubscriptionState(Side.YES if to else asked, Side.YES if from_ else asks)
        request = _table(part.request) if part.request is not None else True
        new = Contact(jid, state, part.name, part.groups, part.approved, part.listed, request)
        self._contacts[jid] = _merged(self._contacts.get(jid), new)

    def _take_card(self, part: r.Card) -> None:
        self._single[VCARD] = CollectedTable(VCARD, _table(part.element), Counter({r.KINDS[r.Card]: 1}))

    def _take_private(self, part: r.Private) -> None:
        self._private[key(part.element)] = _table(part.element)

    def _take_list(self, part: r.PrivacyList) -> None:
        renamed = (replace(item, value=self._domains.text(item.value)) if item.kind == "jid" else item for item in part.items)
        self._lists[part.name] = part._replace(items=in_order(renamed))

    def _take_blocked(self, part: r.BlockedAddress) -> None:
        self._blocked[self._domains.jid(part.jid)] = None

    def _take_preferences(self, part: r.ArchivePreferences) -> None:
        entries = {str(self._domains.jid(jid)): flag for jids, flag in ((part.always, True), (part.never, False)) for jid in jids}
        table = {"__hash": [False, _DEFAULTS[part.default]], **entries}
        self._single[PREFERENCES] = CollectedTable(PREFERENCES, table, Counter({r.KINDS[r.ArchivePreferences]: 1}))

    def _take_node(self, part: r.PepNode) -> None:
        affiliations = {str(self._domains.jid(jid)): word for jid, word in part.affiliations.items()}
        subscribers = {str(self._domains.jid(jid)): True for jid in part.subscribers}
        empty = {"name": part.name, "config": {}, "affiliations": {}, "subscribers": {}}
        node = self._nodes.setdefault(part.name, empty)
        node["config"] |= part.config
        node["affiliations"] |= affiliations
        node["subscribers"] |= subscribers

    def _take_activity(self, part: r.LastSeen) -> None:
        table = {"timestamp": int(part.when), "status": part.status}
        self._single[LAST] = CollectedTable(LAST, table, Counter({r.KINDS[r.LastSeen]: 1}))


def _merged(old: Contact | None, new: Contact) -> Contact:
    """A roster item and a request of the same address, which sources keep apart, as one contact."""
    if old is None or old.listed == new.listed:
        return new
    item, request = (old, new) if old.listed else (new, old)
    if item.state.from_ is Side.YES:
        return item
    return replace(item, state=item.state._replace(from_=Side.ASKED), request=request.request)


def _table(element: Element) -> dict[str, Any]:
    return stanza_table(serialise(element))
