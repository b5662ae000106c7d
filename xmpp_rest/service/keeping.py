"""Which messages does an archive keep? (spec client-api §6, XEP-0313 §5, XEP-0334)"""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import DELAY, HINTS, STANZA_ID

_NEVER = tuple(f"{{{HINTS}}}{hint}" for hint in ("no-store", "no-permanent-store"))
_STORE = f"{{{HINTS}}}store"
_DELAY = f"{{{DELAY}}}delay"
_STANZA_ID = f"{{{STANZA_ID}}}stanza-id"
_OTHER_TYPES = frozenset(("groupchat", "headline", "error"))  # RFC 6121 §5.2.2: any other one is a normal message


def worth_keeping(message: Element) -> bool:
    """Whether a message belongs into the archives of those who exchange it: something was said, now, and may be written down."""
    if message.get("type") in _OTHER_TYPES or any(message.find(hint) is not None for hint in _NEVER):
        return False
    if message.find(_DELAY) is not None:  # a copy of what was said at another time
        return False
    return message.find("body") is not None or message.find(_STORE) is not None


def without_forged_ids(message: Element, owner: JID) -> None:
    """Take away ids that the message claims to have in the owner's archive (XEP-0359 §4.2)."""
    for forged in message.findall(_STANZA_ID):
        if forged.get("by") == str(owner):
            message.remove(forged)
