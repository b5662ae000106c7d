"""What happens when an account, or the gateway itself, sends a stanza? The one way out that every API takes."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.link.router import Router
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.contacts import Contacts
from xmpp_rest.service.mailbox import Mailbox


class Sending:
    """Routes what a caller sends and keeps messages in the sender's own archive."""

    def __init__(self, router: Router, mailbox: Mailbox, contacts: Contacts) -> None:
        self._router = router
        self._mailbox = mailbox
        self._contacts = contacts

    def send(self, stanza: Element, sender: JID, to: JID) -> Element | None:
        """Send a message or presence, addressed and with an id. The answer where there is one at once; None: it was accepted.

        Accepted messages are in the sender's archive when this returns. Raises GatewayError: outbox-full; BadXML; StorageError.
        """
        return self._send(stanza, sender, to, keep_refused=False)

    def post(self, stanza: Element, sender: JID, to: JID) -> None:
        """Send, and let a refusal come to the sender's streams as one from afar does; what was said stays said. Raises as `send`."""
        refusal = self._send(stanza, sender, to, keep_refused=True)
        if refusal is not None:
            self._router.deliver(refusal, to, sender)

    def _send(self, stanza: Element, sender: JID, to: JID, *, keep_refused: bool) -> Element | None:
        if self._contacts.outgoing(stanza, sender, to):
            return None
        with self._mailbox.one_text(stanza):
            refusal = self._router.send(stanza)
            if refusal is None or keep_refused:
                self._mailbox.sent(stanza, sender, to)
        return refusal

    def ask(self, iq: Element, seconds: float) -> tuple[Element, list[Element]]:
        """Send an iq and wait for its answer; archive results that belong to it come along. Raises GatewayError, BadXML."""
        return self._router.ask(iq, seconds)
