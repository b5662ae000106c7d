"""Roster iqs: XMPP clients read and change their account's roster (RFC 6121 §2)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.router import NOT_MINE, Unhandled
from xmpp_rest.protocol.conditions import StanzaError, StanzaRefused
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.namespaces import ROSTER
from xmpp_rest.protocol.stanza import is_request, make, refusal, result
from xmpp_rest.service.contacts.contact import item_of
from xmpp_rest.service.contacts.contacts import Contacts

QUERY, ITEM, GROUP = (f"{{{ROSTER}}}{name}" for name in ("query", "item", "group"))
MAX_TEXT = 1023  # bytes of a name or group
MAX_GROUPS = 100
_RESERVED = frozenset(("__array", "__hash"))  # reserved by the storage


class RosterQueries:
    """A handler for the router: roster gets and sets of an account to itself; others are not answered."""

    def __init__(self, contacts: Contacts) -> None:
        self._contacts = contacts

    def handle(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """Answer an iq with a roster query; NOT_MINE for any other stanza."""
        if not is_request(stanza) or to != sender.bare or not to.local or len(stanza) != 1 or stanza[0].tag != QUERY:
            return NOT_MINE
        if stanza.get("type") == "get":
            return result(stanza, self._get(stanza[0], to))
        try:
            self._set(stanza[0], to)
        except StanzaRefused as e:
            return refusal(stanza, e.error)
        except GatewayError as e:
            return refusal(stanza, StanzaError(e.row.type, e.row.condition, e.text))
        return result(stanza)

    def _get(self, query: Element, owner: JID) -> Element | None:
        version, contacts = self._contacts.items(owner)
        if query.get("ver") == str(version):  # RFC 6121 §2.6.3: the client has it already
            return None
        return make(QUERY, *(item_of(contact) for contact in contacts), ver=str(version))

    def _set(self, query: Element, owner: JID) -> None:
        if len(query) != 1 or query[0].tag != ITEM:
            raise StanzaRefused("bad-request", "a roster set has exactly one item (RFC 6121 §2.1.5)")
        item = query[0]
        try:
            jid = parse_jid(item.get("jid", ""))
        except InvalidJID as e:
            raise StanzaRefused("jid-malformed", str(e)) from e
        if item.get("subscription") == "remove":
            if not self._contacts.remove(owner, jid):
                raise StanzaRefused("item-not-found", f"{jid} is not in the roster")
            return
        self._contacts.add(owner, jid, _checked_text(item.get("name", "")), _groups(item))


def _groups(item: Element) -> tuple[str, ...]:
    groups = [_checked_text(group.text or "") for group in item.iterfind(GROUP)]
    if len(set(groups)) != len(groups):
        raise StanzaRefused("bad-request", "a group is listed twice")
    if "" in groups or len(groups) > MAX_GROUPS or _RESERVED & set(groups):
        raise StanzaRefused("not-acceptable", f"a group has a name, and a contact is in at most {MAX_GROUPS} groups")
    return tuple(groups)


def _checked_text(text: str) -> str:
    if len(text.encode()) > MAX_TEXT:
        raise StanzaRefused("not-acceptable", f"names end at {MAX_TEXT} bytes")
    return text
