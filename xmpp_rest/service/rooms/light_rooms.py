"""What rooms of MUC Light say, which nobody comes into by presence, so that no occupant of the gateway is there."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import MUC_LIGHT

_CHANGES = (f"{{{MUC_LIGHT}#affiliations}}x", f"{{{MUC_LIGHT}#configuration}}x")


def is_of_light_room(message: Element, sender: JID) -> bool:
    """Whether a groupchat message is one of MUC Light: it names who speaks by an address, not a nick (client-api §3.1)."""
    if not sender.resource:
        return any(message.find(name) is not None for name in _CHANGES)
    speaker = jid_or_none(sender.resource)
    return speaker is not None and bool(speaker.local) and not speaker.resource
