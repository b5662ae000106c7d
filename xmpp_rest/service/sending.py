"""What happens when an account, or the gateway itself, sends a stanza? The one way out that every API takes."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.link.router import Router
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.mailbox import Mailbox


class Sending:
    """Routes what a caller sends and keeps messages in the sender's own archive."""

    def __init__(self, router: Router, mailbox: Mailbox) -> None:
        self._router = router
        self._mailbox = mailbox

    def send(self, stanza: Element, sender: JID, to: JID) -> Element | None:
        """Send a message or presence, addressed and with an id. The answer where there is one at once; None: it was accepted.

        Raises GatewayError: outbox-full; BadXML; StorageError.
        """
        answer = self._router.send(stanza)
        if answer is None:
            self._mailbox.sent(stanza, sender, to)
        return answer

    def ask(self, iq: Element, seconds: float) -> tuple[Element, list[Element]]:
        """Send an iq and wait for its answer; archive results that belong to it come along. Raises GatewayError, BadXML."""
        return self._router.ask(iq, seconds)
