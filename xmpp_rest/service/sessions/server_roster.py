"""Rosters at other servers: what is asked, and what they answer (RFC 6121 §2)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import ROSTER
from xmpp_rest.protocol.stanza import child, make, new_id
from xmpp_rest.service.contacts.contact import Contact
from xmpp_rest.service.contacts.subscriptions import SUBSCRIPTIONS, Side, SubscriptionState

_QUERY, _ITEM, _GROUP = f"{{{ROSTER}}}query", f"{{{ROSTER}}}item", f"{{{ROSTER}}}group"
_TRUE = ("true", "1")


def roster_get(owner: JID) -> Element:
    """The iq that asks for the roster of this account."""
    return make("iq", child(_QUERY), type_="get", id_=new_id(), from_=str(owner), to_=str(owner.bare))


def roster_set(owner: JID, contact: JID, *, remove: bool = False) -> Element:
    """The iq that adds a contact without name and groups, or removes it."""
    item = child(_ITEM, jid=str(contact.bare), **({"subscription": "remove"} if remove else {}))
    return make("iq", make(_QUERY, item), type_="set", id_=new_id(), from_=str(owner), to_=str(owner.bare))


def read_roster(answer: Element) -> dict[JID, Contact]:
    """The contacts in the result of `roster_get`, by their bare addresses. What cannot be read is left out."""
    found = {}
    for item in answer.iterfind(f"{_QUERY}/{_ITEM}"):
        contact = _contact(item)
        if contact is not None:
            found[contact.jid] = contact
    return found


def _contact(item: Element) -> Contact | None:
    jid, word = jid_or_none(item.get("jid")), item.get("subscription", "none")
    if jid is None or word not in SUBSCRIPTIONS:
        return None
    to, from_ = (Side.YES if yes else Side.NONE for yes in SUBSCRIPTIONS[word])
    if to is Side.NONE and item.get("ask") == "subscribe":
        to = Side.ASKED
    groups = tuple(sorted({group.text or "" for group in item.iterfind(_GROUP)}))
    return Contact(jid.bare, SubscriptionState(to, from_), item.get("name", ""), groups, item.get("approved") in _TRUE)
