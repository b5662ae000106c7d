"""Which messages an archive keeps (client-api §6, XEP-0313 §5, XEP-0334)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import (
    CARBONS,
    CHAT_MARKERS,
    CONFERENCE,
    ENCRYPTION,
    HINTS,
    JINGLE_MESSAGE,
    MAM,
    MUC_USER,
    RECEIPTS,
    STANZA_ID,
)
from xmpp_rest.service.messages.forged import is_forged

_STANZA_ID = f"{{{STANZA_ID}}}stanza-id"
_MUC_USER = f"{{{MUC_USER}}}x"
_INVITE = f"{{{MUC_USER}}}invite"
_OTHER_TYPES = frozenset(("groupchat", "headline", "error"))  # RFC 6121 §5.2.2: any other one is a normal message

_NEVER = frozenset(
    (
        *(f"{{{HINTS}}}{hint}" for hint in ("no-store", "no-permanent-store")),
        *(f"{{{CARBONS}}}{copy}" for copy in ("sent", "received")),  # XEP-0280 §6: a copy of what has its place already
        f"{{{MAM}}}result",  # XEP-0313 §4.2: out of an archive
    )
)
"""With one of these a message is not kept."""
_SAYS = frozenset(("body", "subject", f"{{{HINTS}}}store", f"{{{ENCRYPTION}}}encryption", f"{{{CONFERENCE}}}x"))
"""COMPAT Prosody mod_mam: with one of these something was said, if only to whoever missed it: an invitation, say."""
_SAY = (f"{{{RECEIPTS}}}", f"{{{CHAT_MARKERS}}}", f"{{{JINGLE_MESSAGE}")
"""COMPAT Prosody mod_mam: so it was with any element of these namespaces. A chat state alone says nothing later."""


def worth_keeping(message: Element) -> bool:
    """Whether a message belongs into the archives of those who exchange it: something was said, and may be written down.

    When it was said first, a `<delay/>`, does not matter: whoever sends it says it now.
    """
    if message.get("type") in _OTHER_TYPES or any(element.tag in _NEVER for element in message):
        return False
    return any(map(_says, message))


def _says(element: Element) -> bool:
    return element.tag in _SAYS or element.tag.startswith(_SAY) or (element.tag == _MUC_USER and element.find(_INVITE) is not None)


def without_forged_ids(message: Element, owner: JID) -> None:
    """Take away ids that the message claims to have in the owner's archive, however the address is written (XEP-0359 §4.2)."""
    for element in message.findall(_STANZA_ID):
        if is_forged(element, owner):
            message.remove(element)
