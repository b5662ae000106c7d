"""What happens to a stanza for a hosted account? Messages are kept in its archive (XEP-0313); nobody's are answered with an error."""

from __future__ import annotations

import time
from xml.etree.ElementTree import Element

from drivers import Driver
from xmpp_rest.link.router import NOT_MINE, Unhandled
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import may_be_refused, refusal
from xmpp_rest.service.accounts import Accounts

ARCHIVE = "archive"
_KEPT_TYPES = frozenset(("chat", "normal"))  # XEP-0313 §5.1.2: what an archive should hold


def worth_keeping(message: Element) -> bool:
    """Whether a message belongs into an archive (XEP-0313 §5.1.2): chat or normal, with something that a person would miss."""
    return message.get("type", "normal") in _KEPT_TYPES and len(message) > 0


class Mailbox:
    """A router's handler for the accounts of the hosted domain."""

    def __init__(self, driver: Driver, accounts: Accounts) -> None:
        self._driver = driver
        self._accounts = accounts

    def handle(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """Take a message or presence for an account; iqs are the entity's business."""
        if not to.local or stanza.tag == "iq" or not self._accounts.exists(to):
            return NOT_MINE
        if stanza.tag == "message":
            return self._message(stanza, sender, to)
        return None

    def _message(self, message: Element, sender: JID, to: JID) -> Element | None:
        if message.get("type") == "groupchat":  # RFC 6121 §8.5.2.1.1: for an account without the room's occupant online
            return refusal(message, stanza_error("service-unavailable")) if may_be_refused(message) else None
        if worth_keeping(message):
            self._keep(to, message, sender)
        return None

    def sent(self, stanza: Element, sender: JID, to: JID) -> None:
        """An account sent this: what it says belongs into the sender's archive, too."""
        if stanza.tag == "message" and worth_keeping(stanza) and sender.domain == self._accounts.domain and sender.local:
            self._keep(sender, stanza, to)

    def _keep(self, owner: JID, message: Element, partner: JID) -> None:
        text = serialise(message)
        self._driver.archive_append(owner.local, owner.domain, ARCHIVE, text, when=time.time(), with_=str(partner.bare))
