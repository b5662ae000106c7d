"""Brings stanzas to a callback's URL: attempts, the answer for the sender, and at the worst a dead letter."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from drivers import StorageError
from xmpp_rest.config.table import CallbackSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.backoff import Backoff
from xmpp_rest.link.router import Router
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.callbacks.attempt import Attempt, attempt
from xmpp_rest.service.callbacks.dead_letters import DeadLetters
from xmpp_rest.service.callbacks.delivery import Delivery
from xmpp_rest.service.callbacks.http_post import Unreachable, Webhook
from xmpp_rest.service.callbacks.reflections import Reflections
from xmpp_rest.service.callbacks.reply import error_for
from xmpp_rest.service.callbacks.reply_guard import ReplyGuard
from xmpp_rest.threads.keyed_pool import Job

log = logging.getLogger(__name__)

Take = Callable[[Element, JID, JID], Element | None]
UNFORESEEN = StanzaError("wait", "internal-server-error")


@dataclass
class _Way:
    """One stanza's attempts so far, and what came of the last one."""

    delivery: Delivery
    backoff: Backoff
    done: Callable[[], None]
    attempts: int = 0
    result: Attempt | None = None
    buried: bool = False


class Carrier:
    """Brings stanzas to one URL. Safe to be used by several threads; owned by a CallbackService, whose `take` gets what comes back.

    Whatever is raised on the way, a stanza is answered, or kept as a dead letter, or comes again.
    """

    def __init__(self, name: str, settings: CallbackSettings, router: Router, dead: DeadLetters, take: Take, incidents: Incidents) -> None:
        self._name = name
        self._settings = settings
        self._router = router
        self._dead = dead
        self._take = take
        self._incidents = incidents
        self._guard = ReplyGuard(settings.reply_rate)
        self._webhook = Webhook(settings)
        self.reflections = Reflections()

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
        """Bring a stanza to the URL; `done` is called when nothing is left to do. The job raises nothing."""
        way = _Way(delivery, Backoff(self._settings.retry_max), done)
        return lambda: self._go(way)

    def refuse(self, delivery: Delivery, error: StanzaError, reason: str) -> None:
        """A stanza that cannot be queued: tell its sender, or keep it as a dead letter where nobody is to be told. Raises nothing."""
        reply = error_for(delivery.stanza, error)
        if reply is not None:
            self._answered(delivery, reply)
        elif delivery.lasting:
            self._bury(_Way(delivery, Backoff(self._settings.retry_max), lambda: None), reason)

    def _go(self, way: _Way) -> float | None:
        """One step; in how many seconds to come again, None if that was all."""
        try:
            if way.result is None:
                way.attempts += 1
                way.result = attempt(self._webhook, way.delivery, self._name)
        except Exception as e:  # whatever it is would be raised again: no further attempt
            self._report("callback-job", "a stanza from %s was not delivered", way.delivery.sender)
            way.result = Attempt(error_for(way.delivery.stanza, UNFORESEEN), f"internal error: {type(e).__name__}")
        try:
            return self._settle(way, way.result)
        except Exception:
            self._report("callback-job", "the delivery of a stanza from %s is not acknowledged; it will be repeated", way.delivery.sender)
            return self._settings.retry_max

    def _settle(self, way: _Way, result: Attempt) -> float | None:
        """Try again, or tell the sender and be done; as `_go`."""
        delivery = way.delivery
        if result.again and delivery.lasting and way.attempts <= self._settings.retries:
            way.result = None
            return min(max(way.backoff.next(refused=False), result.retry_after), self._settings.retry_max)
        told = bool(result.failed) and delivery.replayed  # its sender got that error when it was given up first
        reply = None if told else result.reply
        if reply is not None and (pause := self._pause(delivery, result)):
            if not result.empty:
                return pause
            reply = None
        if result.failed and delivery.lasting and not (result.blame and reply is not None) and not way.buried:
            way.buried = self._bury(way, result.failed)
            if not way.buried and reply is None:
                way.result = None  # perhaps the URL takes it by then
                return self._settings.retry_max
        if reply is not None and not self._answered(delivery, reply):
            return way.backoff.next(refused=False)
        way.done()
        return None

    def _pause(self, delivery: Delivery, result: Attempt) -> float:
        """Seconds until the sender may be answered; an iq's answer is answered by nobody, so it goes at once."""
        if delivery.stanza.tag == "iq":
            return 0.0
        pause = self._guard.wait(delivery.to, delivery.sender)
        if pause:
            what = "an empty reply to %s is left out" if result.empty else "a reply to %s waits"
            text = f"more than {self._settings.reply_rate} replies a second: {what}"
            self._report("callback-replies", text, delivery.sender, trace=False)
        return pause

    def _bury(self, way: _Way, reason: str) -> bool:
        """Keep it as a dead letter; whether it is kept, or nothing ever is."""
        try:
            self._dead.add(self._name, way.delivery, way.attempts, reason, self._settings.dead_letters)
        except StorageError as e:
            log.error("callback %s: an undelivered stanza from %s could not be kept: %s", self._name, way.delivery.sender, e)
            return False
        except Exception:  # what cannot be written down now never can
            self._report("callback-lost", "an undelivered stanza from %s cannot be kept", way.delivery.sender)
        return True

    def _answered(self, delivery: Delivery, reply: Element) -> bool:
        """Send the reply, or an error in its place if it cannot be sent; False if it may be sent later. Raises nothing."""
        try:
            self._send(delivery, reply)
        except (GatewayError, StorageError) as e:
            log.warning("callback %s: the reply to %s could not be sent: %s", self._name, delivery.sender, e)
            if delivery.lasting and (isinstance(e, StorageError) or e.row.type == "wait"):
                return False
            self._send_error(delivery, reply)
        except Exception:  # BadXML among others
            self._report("callback-reply", "the reply to %s could not be sent", delivery.sender)
            self._send_error(delivery, reply)
        return True

    def _send_error(self, delivery: Delivery, reply: Element) -> None:
        """The sender hears at least that there is no answer."""
        error = error_for(delivery.stanza, UNFORESEEN)
        if error is None or reply.get("type") == "error":
            return
        try:
            self._send(delivery, error)
        except Exception:
            self._report("callback-reply", "%s could not be told that there is no answer", delivery.sender)

    def _send(self, delivery: Delivery, reply: Element) -> None:
        if reply.get("type") == "error" and self._router.is_of_room(delivery.stanza, delivery.sender, delivery.to):
            return  # a room removes an occupant that sends errors
        if reply.get("type") == "groupchat":
            self.reflections.said(delivery.to, delivery.sender, reply.get("id", ""))
        back = self._router.send(reply)
        if back is not None:
            self._take(back, delivery.sender, delivery.to)  # refused at once: the URL hears of it as of any error

    def _report(self, kind: str, message: str, *arguments: object, trace: bool = True) -> None:
        level = logging.ERROR if trace else logging.WARNING
        self._incidents.report(log, kind, f"callback %s: {message}", self._name, *arguments, level=level, trace=trace)
