"""Checks of texts for XMPP users: text that cannot be sent must not be stored, as it would break later answers."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.api.commands.errors import rejected
from xmpp_rest.protocol.element import BadXML, serialise


def require_sendable(*texts: str) -> None:
    """Raises CommandFailure for texts with a character that XML 1.0 §2.2 has not."""
    element = Element("{jabber:client}body")
    element.text = "".join(texts)
    try:
        serialise(element)
    except BadXML as e:
        raise rejected(str(e)) from e
