"""What becomes of a stanza on its way to a callback's URL? Attempts, the answer for its sender, and at the worst a dead letter."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from drivers import StorageError
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.backoff import Backoff
from xmpp_rest.link.router import Router
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import may_be_refused, refusal
from xmpp_rest.service.callback_attempt import Attempt, attempt
from xmpp_rest.service.dead_letters import DeadLetters
from xmpp_rest.service.delivery import Delivery
from xmpp_rest.service.serial import Job
from xmpp_rest.service.webhook import Unreachable, Webhook
from xmpp_rest.settings import Callback

log = logging.getLogger(__name__)

Take = Callable[[Element, JID, JID], Element | None]


@dataclass
class _Way:
    """One stanza's attempts so far."""

    delivery: Delivery
    backoff: Backoff
    done: Callable[[], None]
    attempts: int = 0


class Carrier:
    """Brings stanzas to one URL. Safe to be used by several threads; owned by a CallbackService, whose `take` gets what comes back."""

    def __init__(self, name: str, settings: Callback, router: Router, dead: DeadLetters, take: Take) -> None:
        self._name = name
        self._settings = settings
        self._router = router
        self._dead = dead
        self._take = take
        self._webhook = Webhook(settings)

    @property
    def content_type(self) -> str:
        """How stanzas are written: by the setting, or as the probe had it."""
        return self._webhook.content_type

    def probe(self) -> None:
        """Ask the URL which format it likes; whatever it says, it is used."""
        try:
            status, named = self._webhook.probe(self._settings.address[0].domain)
        except Unreachable as e:
            log.warning("callback %s: the URL did not answer OPTIONS: %s", self._name, e)
            return
        except Exception:
            log.exception("callback %s: the probe failed", self._name)
            return
        why = "as its Accept field says" if named else "as it is set"
        log.info("callback %s: the URL answered OPTIONS with %d; stanzas go as %s, %s", self._name, status, self.content_type, why)

    def close(self) -> None:
        """Give the connections back."""
        self._webhook.close()

    def job(self, delivery: Delivery, done: Callable[[], None]) -> Job:
        """Bring a stanza to the URL; `done` is called when nothing is left to do."""
        way = _Way(delivery, Backoff(self._settings.retry_max), done)
        return lambda: self._go(way)

    def refuse(self, delivery: Delivery, error: StanzaError) -> None:
        """Answer the sender with this error, if it may be answered."""
        if may_be_refused(delivery.stanza):
            self._answer(delivery, refusal(delivery.stanza, error))

    def _go(self, way: _Way) -> float | None:
        """One attempt; in how many seconds to come again, None if that was all."""
        way.attempts += 1
        result = attempt(self._webhook, way.delivery, self._name)
        if result.failed and way.delivery.lasting and way.attempts <= self._settings.retries:
            return min(max(way.backoff.next(refused=False), result.retry_after), self._settings.retry_max)
        self._finish(way, result)
        return None

    def _finish(self, way: _Way, result: Attempt) -> None:
        delivery = way.delivery
        if result.failed and delivery.lasting:
            self._bury(way, result.failed)
        told = result.failed and delivery.replayed  # its sender got that error when it was given up first
        if result.reply is not None and not told:
            self._answer(delivery, result.reply)
        way.done()

    def _bury(self, way: _Way, reason: str) -> None:
        try:
            self._dead.add(self._name, way.delivery, way.attempts, reason, self._settings.dead_letters)
        except (StorageError, BadXML) as e:
            log.error("callback %s: an undelivered stanza from %s could not be kept: %s", self._name, way.delivery.sender, e)

    def _answer(self, delivery: Delivery, reply: Element) -> None:
        try:
            back = self._router.send(reply)
            if back is not None:
                self._take(back, delivery.sender, delivery.to)  # refused at once: the URL hears of it as of any error
        except (GatewayError, BadXML, StorageError) as e:
            log.warning("callback %s: the reply to %s could not be sent: %s", self._name, delivery.sender, e)
