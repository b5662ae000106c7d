"""Addresses of a stanza, and the checks of mod_rest in their order (rest-api §6, §7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.auth.caller import Caller, CallerKind
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.namespaces import XML_LANG
from xmpp_rest.protocol.stanza import KINDS, is_too_long, new_id

_KEPT = ("type", XML_LANG)


class Rejected(Exception):
    """The stanza must not be sent; `name` is the error of the table in errors.py."""

    def __init__(self, name: str, reason: str = "") -> None:
        self.name = name
        self.reason = reason
        super().__init__(name)


class Addressed(NamedTuple):
    """A stanza that may be sent, with its ends."""

    stanza: Element
    sender: JID
    to: JID


def address(stanza: Element, caller: Caller, new_id: Callable[[], str] = new_id) -> Addressed:
    """Check the stanza and give it its attributes: from, to and id by the rules, type and xml:lang as they are, nothing else.

    Raises Rejected: xmlns, name, id, to, from, from_auth, scope.
    """
    if stanza.tag[:1] == "{":
        raise Rejected("xmlns", "the namespace of the root element must be empty or jabber:client")
    if stanza.tag not in KINDS:
        raise Rejected("name", f"the root element is <{stanza.tag[:100]}>")
    if is_too_long(stanza.get("id", "")):
        raise Rejected("id")
    to = _recipient(stanza.get("to"), caller)
    sender = _sender(stanza.get("from"), caller)
    attributes = {"from": str(sender), "id": stanza.get("id") or new_id()}
    if to is not None:
        attributes["to"] = str(to)
    stanza.attrib = attributes | {k: v for k, v in stanza.attrib.items() if k in _KEPT}
    addressed = Addressed(stanza, sender, sender.bare if to is None else to)
    if caller.recipients is not None and (stanza.tag != "message" or not caller.may_send_to(addressed.to)):
        raise Rejected("scope", f"it is good for messages to {', '.join(caller.recipients)[:500]}")
    return addressed


def check_iq(stanza: Element) -> None:
    """Refuse an iq that nobody could answer (RFC 6120 §8.2.3). Raises Rejected: iq_type, iq_tags."""
    if stanza.tag == "iq":
        if stanza.get("type") not in ("get", "set"):
            raise Rejected("iq_type", f"the type is {stanza.get('type', '')[:100]!r}")
        if len(stanza) != 1:
            raise Rejected("iq_tags", f'there are {len(stanza)}; in JSON one member names it, such as "ping": true or "disco": true')


def _recipient(written: str | None, caller: Caller) -> JID | None:
    if written is None and caller.kind is not CallerKind.COMPONENT:
        return None  # one's own account; a component has none
    try:
        return parse_jid(written or "")
    except InvalidJID as e:
        raise Rejected("to", str(e)) from e


def _sender(written: str | None, caller: Caller) -> JID:
    if written is None:
        return caller.session or caller.jid
    try:
        wanted = parse_jid(written)
    except InvalidJID as e:
        raise Rejected("from", str(e)) from e
    if caller.session is not None:  # accounts-anywhere §7.1: its server knows this one resource
        if wanted not in (caller.jid, caller.session):
            raise Rejected("from_auth", f"these credentials may send as {caller.session}")
        return caller.session
    # Every part that the authenticated address has must be the same: an account may choose its resource, a component its users.
    if any(own and own != part for own, part in zip(caller.jid, wanted, strict=True)):
        choice = "with any resource" if caller.jid.local else "or from any address there"
        raise Rejected("from_auth", f"these credentials may send as {caller.jid}, {choice}")
    return wanted
