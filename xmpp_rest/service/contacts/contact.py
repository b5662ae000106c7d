"""The state between an account and one contact, and its changes by subscription stanzas. Nothing is stored here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from xml.etree.ElementTree import Element

from drivers.stanzas import stanza_table
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import ROSTER
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.service.contacts.subscriptions import INBOUND, OUTBOUND, STRANGER, Side, SubscriptionState, moved

Request = dict[str, Any] | bool


@dataclass(frozen=True, slots=True)
class Contact:
    """One contact of an account, or an address that only asks (`listed` is False: no roster item yet, RFC 6121 §3.1.3)."""

    jid: JID
    state: SubscriptionState = STRANGER
    name: str = ""
    groups: tuple[str, ...] = ()
    approved: bool = False  # in advance (RFC 6121 §3.4)
    listed: bool = True
    request: Request = True  # the presence stanza that asks, as a table; kept while `state.from_` is ASKED


def sent(old: Contact | None, jid: JID, kind: str, approve: bool) -> Contact | None:
    """The contact after the account has sent it a presence of this kind; `approve` as in `Contacts.ask`."""
    contact = old or Contact(jid, listed=False)
    state = moved(contact.state, OUTBOUND[kind])
    approved = contact.approved and kind != "unsubscribed" and state.from_ is not Side.YES  # RFC 6121 §3.4.2
    if approve and kind == "subscribed" and contact.state.from_ is Side.NONE:
        approved = True
    listed = contact.listed or approved or kind == "subscribe" or state.from_ is Side.YES
    return _unless_strange(replace(contact, state=state, approved=approved, listed=listed))


def received(old: Contact | None, jid: JID, stanza: Element) -> Contact | None:
    """The contact after it has sent this presence to the account."""
    contact = old or Contact(jid, listed=False)
    kind = stanza.attrib["type"]
    state = moved(contact.state, INBOUND[kind])
    if kind == "subscribe" and contact.approved:
        return replace(contact, state=state._replace(from_=Side.YES), approved=False)
    if kind == "subscribe" and state != contact.state:
        contact = replace(contact, request=stanza_table(serialise(stanza)))
    return _unless_strange(replace(contact, state=state))


def without_request(old: Contact | None) -> Contact | None:
    """The contact as if it had not asked."""
    if old is None or old.state.from_ is not Side.ASKED:
        return old
    return _unless_strange(replace(old, state=old.state._replace(from_=Side.NONE), request=True))


def _unless_strange(contact: Contact) -> Contact | None:
    return contact if contact.listed or contact.state != STRANGER else None


def as_item(contact: Contact | None) -> Contact | None:
    """The contact as its roster item shows it, without a pending request of the contact (RFC 6121 §3.1.3)."""
    if contact is None or not contact.listed:
        return None
    from_ = Side.YES if contact.state.from_ is Side.YES else Side.NONE
    return replace(contact, state=contact.state._replace(from_=from_), request=True)


def item_of(contact: Contact) -> Element:
    """The `<item/>` of a roster (RFC 6121 §2.1.2)."""
    return make(
        f"{{{ROSTER}}}item",
        *(child(f"{{{ROSTER}}}group", group) for group in contact.groups),
        jid=str(contact.jid),
        subscription=contact.state.subscription,
        ask="subscribe" if contact.state.to is Side.ASKED else None,
        name=contact.name,
        approved="true" if contact.approved else None,
    )
