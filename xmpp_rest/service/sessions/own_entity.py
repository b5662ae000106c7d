"""What a session answers for itself: discovery, ping, version (accounts-anywhere §7.1), and changes of its roster (RFC 6121 §2.1.6)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.link.router import NOT_MINE, Unhandled
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import ROSTER
from xmpp_rest.protocol.stanza import is_request, result
from xmpp_rest.service.messages.disco import Entity, Identity

SESSION: Identity = ("client", "bot", "xmpp-rest")
_QUERY = f"{{{ROSTER}}}query"


class OwnEntity:
    """Handlers of what comes to a session."""

    def __init__(self) -> None:
        self._entity = Entity(SESSION, (), lambda _: False)

    def handle(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """Answer as the gateway itself would."""
        return self._entity.handle(stanza, sender, JID("", to.domain, ""))

    @staticmethod
    def handle_roster(stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """Answer what the account's own server tells of its roster; what others tell is not taken."""
        is_push = is_request(stanza) and stanza.get("type") == "set" and stanza.find(_QUERY) is not None
        return result(stanza) if is_push and sender == to.bare else NOT_MINE
