"""Detection of forged elements: those that claim to be from a room or an account, which alone may add them."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import DELAY, OLD_DELAY, STANZA_ID

_NAMING = {  # element → the attribute that names the entity that added it
    f"{{{STANZA_ID}}}stanza-id": "by",  # XEP-0359 §4.2
    f"{{{DELAY}}}delay": "from",  # XEP-0203 §4: that the room sends it late
    f"{{{OLD_DELAY}}}x": "from",  # XEP-0091
}


def is_forged(element: Element, owner: JID) -> bool:
    """Whether it claims to be from the owner (a room, an account), a resource or the domain of it, or from an invalid address."""
    name = element.get(_NAMING.get(element.tag, ""))
    if name is None:
        return False
    named = jid_or_none(name.strip().rstrip("/"))  # as a lenient client may read it
    return named is None or named.bare in (owner, JID("", owner.domain, ""))
