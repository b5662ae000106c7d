"""vCard iqs: entities read an account's vCard, and the account changes its own (XEP-0054 §3)."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.router import NOT_MINE, Unhandled
from xmpp_rest.protocol.conditions import StanzaError, stanza_error
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import child, is_request, refusal, result
from xmpp_rest.service.accounts.vcards import NAMESPACE, VCards, tag

FEATURES = (NAMESPACE,)
VCARD = tag("vCard")


class VCardQueries:
    """A handler for the router: iqs with a `<vCard/>` to the bare address of an account."""

    def __init__(self, vcards: VCards, exists: Callable[[JID], bool]) -> None:
        self._vcards = vcards
        self._exists = exists

    def handle(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """Answer an iq: everybody may read, only the account itself may write. NOT_MINE for any other stanza."""
        if not is_request(stanza) or not to.local or to.resource or len(stanza) != 1 or stanza[0].tag != VCARD:
            return NOT_MINE
        if not self._exists(to):
            return NOT_MINE
        if stanza.get("type") == "get":
            card = self._vcards.seen_by(to, sender)
            return result(stanza, child(VCARD) if card is None else card)  # §3.1: an empty one if there is none
        if sender.bare != to:
            return refusal(stanza, stanza_error("forbidden", "only the account itself may change its vCard"))
        try:
            self._vcards.store(to, stanza[0])
        except GatewayError as e:
            return refusal(stanza, StanzaError(e.row.type, e.row.condition, e.text))
        return result(stanza)
