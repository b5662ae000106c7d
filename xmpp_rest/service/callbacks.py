"""Which stanzas go to a callback, and what becomes of its answer?"""

from __future__ import annotations

import logging
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.router import NOT_MINE, Router, Unhandled
from xmpp_rest.protocol.conditions import StanzaError, stanza_error
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.jsonmap import Unmappable
from xmpp_rest.protocol.stanza import may_be_refused, refusal
from xmpp_rest.service.callback_reply import reply_to
from xmpp_rest.service.serial import SerialPool
from xmpp_rest.service.webhook import Unreachable, Webhook
from xmpp_rest.settings import Callback

log = logging.getLogger(__name__)


def event_of(to: JID) -> str:
    """The form of an address, as mod_rest names it: full, bare or host."""
    if not to.local:
        return "host"
    return "full" if to.resource else "bare"


class CallbackService:
    """One `[callback.NAME]`: its URL, its threads. A router's handler by way of `Callbacks`."""

    def __init__(self, name: str, settings: Callback, router: Router) -> None:
        self.name = name
        self.settings = settings
        self._router = router
        self._webhook = Webhook(settings)
        self._pool = SerialPool(f"callback {name}", settings.concurrency, settings.queue_size)

    def start(self) -> None:
        self._pool.start()

    def stop(self) -> None:
        self._pool.stop()
        self._webhook.close()

    def takes(self, stanza: Element, to: JID) -> bool:
        """Whether kind and form of address are among those that were asked for."""
        return stanza.tag in self.settings.kinds and event_of(to) in self.settings.events

    def take(self, stanza: Element, sender: JID, to: JID) -> Element | None:
        """Queue the stanza for the URL, if it was asked for; otherwise, or when the queue is full, an error for its sender."""
        if not self.takes(stanza, to):
            refused = stanza.tag != "presence" and may_be_refused(stanza)
            return refusal(stanza, stanza_error("service-unavailable")) if refused else None
        if self._pool.submit(sender.bare, lambda: self._call(stanza, sender, to)):
            return None
        log.warning("callback %s: the queue is full, a stanza from %s is refused", self.name, sender)
        full = StanzaError("wait", "resource-constraint", "too many stanzas wait for this address")
        return refusal(stanza, full) if may_be_refused(stanza) else None

    def _call(self, stanza: Element, sender: JID, to: JID) -> None:
        try:
            reply = self._answer(stanza, sender)
            if reply is None:
                return
            back = self._router.send(reply)
            if back is not None:
                self.take(back, sender, to)  # the recipient refused the reply at once: the URL hears of it as of any error
        except (GatewayError, BadXML) as e:
            log.warning("callback %s: the reply to %s could not be sent: %s", self.name, sender, e)

    def _answer(self, stanza: Element, sender: JID) -> Element | None:
        try:
            response = self._webhook.post(stanza)
        except Unmappable as e:  # anybody can send a broken JSON container
            log.warning("callback %s: a stanza from %s has no JSON form: %s", self.name, sender, e)
            return refusal(stanza, stanza_error("bad-request", str(e))) if may_be_refused(stanza) else None
        except (Unreachable, BadXML) as e:
            log.warning("callback %s: a stanza from %s was not delivered: %s", self.name, sender, e)
            unavailable = StanzaError("wait", "recipient-unavailable", str(e))
            return refusal(stanza, unavailable) if may_be_refused(stanza) else None
        reply = reply_to(stanza, response)
        if reply.unreadable:
            log.warning("callback %s: the body of a %d was passed over: %s", self.name, response.status, reply.unreadable)
        return reply.stanza


class Callbacks:
    """All callbacks. Bots have an address of their own and come before accounts; a whole domain's callback comes after them."""

    def __init__(self, callbacks: dict[str, Callback], router: Router) -> None:
        self._services = [CallbackService(name, settings, router) for name, settings in callbacks.items()]
        self._by_address = {address: s for s in reversed(self._services) for address in s.settings.address}

    def start(self) -> None:
        for service in self._services:
            service.start()

    def stop(self) -> None:
        for service in self._services:
            service.stop()

    def handle_bot(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """A stanza for the address of a bot, with or without resource."""
        service = self._by_address.get(to.bare) if to.local else None
        return service.take(stanza, sender, to) if service else NOT_MINE

    def handle_domain(self, stanza: Element, sender: JID, to: JID) -> Element | Unhandled | None:
        """A stanza for a domain that has a callback, where nobody took it; what was not asked for is left to the entity."""
        service = self._by_address.get(JID("", to.domain, ""))
        return service.take(stanza, sender, to) if service and service.takes(stanza, to) else NOT_MINE
