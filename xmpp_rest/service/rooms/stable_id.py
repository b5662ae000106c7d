"""The durable id of a message in a room (XEP-0359): for replies, reactions and retraction."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import STANZA_ID

_STANZA_ID = f"{{{STANZA_ID}}}stanza-id"


def stable_id(message: Element, room: JID) -> str | None:
    """The id that the room (a bare address) itself has given the message; None without one (rooms-anywhere §10)."""
    for element in message.findall(_STANZA_ID):
        if jid_or_none(element.get("by")) == room and element.get("id"):
            return element.get("id")
    return None


def keys_of(message: Element, room: JID) -> set[str]:
    """By which a message of a room is known when it comes again, as a part of the past: the room's id, or sender and id."""
    keys = set()
    if stable := stable_id(message, room):
        keys.add(f"s {stable}")
    if identifier := message.get("id"):
        keys.add(f"i {message.get('from')} {identifier}")
    return keys
