"""The archive policy: decides which messages are archived (client-api §6, XEP-0313 §5, XEP-0334)."""

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
        *(f"{{{CARBONS}}}{copy}" for copy in ("sent", "received")),  # XEP-0280 §6: a copy of an archived message
        f"{{{MAM}}}result",  # XEP-0313 §4.2: from an archive
    )
)
"""A message with one of these elements is not archived."""
_CONTENT = frozenset(("body", "subject", f"{{{HINTS}}}store", f"{{{ENCRYPTION}}}encryption", f"{{{CONFERENCE}}}x"))
"""COMPAT Prosody mod_mam: a message with one of these elements is archived, such as an invitation."""
_CONTENT_NAMESPACES = (f"{{{RECEIPTS}}}", f"{{{CHAT_MARKERS}}}", f"{{{JINGLE_MESSAGE}")
"""COMPAT Prosody mod_mam: likewise any element of these namespaces. A chat state alone is not archived."""


def is_archivable(message: Element) -> bool:
    """Whether a message is archived for its sender and recipient: it has content, and no hint against it.

    A `<delay/>` is ignored: the message is sent now.
    """
    if message.get("type") in _OTHER_TYPES or any(element.tag in _NEVER for element in message):
        return False
    return any(map(_has_content, message))


def _has_content(element: Element) -> bool:
    return (
        element.tag in _CONTENT
        or element.tag.startswith(_CONTENT_NAMESPACES)
        or (element.tag == _MUC_USER and element.find(_INVITE) is not None)
    )


def without_forged_ids(message: Element, owner: JID) -> None:
    """Remove ids that the message claims to have in the owner's archive, however the address is written (XEP-0359 §4.2)."""
    for element in message.findall(_STANZA_ID):
        if is_forged(element, owner):
            message.remove(element)
