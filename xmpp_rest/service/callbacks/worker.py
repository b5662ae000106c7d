"""Delivers stanzas to a callback's URL: attempts, the reply to the sender, and in the end a dead letter."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from xml.etree.ElementTree import Element

from drivers import StorageError
from xmpp_rest.config.table import CallbackSettings
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.protocol.conditions import StanzaError, stanza_error
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.jsonmap import Unmappable
from xmpp_rest.request_notes import on_behalf_of
from xmpp_rest.service.callbacks.dead_letters import DeadLetters
from xmpp_rest.service.callbacks.delivery import Delivery
from xmpp_rest.service.callbacks.http_client import CallbackAnswer, CallbackClient, Unreachable
from xmpp_rest.service.callbacks.reply import Reply, error_for, reply_to
from xmpp_rest.service.callbacks.reply_sender import UNFORESEEN, ReplySender
from xmpp_rest.service.callbacks.reports import Reports
from xmpp_rest.service.callbacks.room_replies import Handling, RoomReplies
from xmpp_rest.threads.backoff import Backoff
from xmpp_rest.threads.keyed_pool import Job
from xmpp_rest.threads.tasks import offload

log = logging.getLogger("xmpp_rest.callbacks")
FIRST_RETRY = 0.5  # seconds until the next attempt, after the first failure


@dataclass
class _Attempts:
    """The attempts for one stanza so far. `on_refused` gets a reply of the URL that came back; `on_done` is called at the end."""

    delivery: Delivery
    backoff: Backoff
    on_done: Callable[[], None]
    on_refused: Callable[[Element], object]
    count: int = 0
    reply: Reply | None = None  # of the last attempt; None: another one is due
    is_dead_letter: bool = False


class DeliveryWorker:
    """The work of a callback's threads. Owned by the queue.

    After any exception a stanza is answered, kept as a dead letter, or delivered again.
    """

    def __init__(
        self,
        name: str,
        settings: CallbackSettings,
        client: CallbackClient,
        replies: ReplySender,
        rooms: RoomReplies,
        dead_letters: DeadLetters,
        reports: Reports,
        on_posted: Callable[[], None],
        counts: Counts,
    ) -> None:
        """`on_posted` is called after each attempt, before what follows from it."""
        self._name = name
        self._settings = settings
        self._client = client
        self._replies = replies
        self._rooms = rooms
        self._dead_letters = dead_letters
        self._reports = reports
        self._on_posted = on_posted
        self._counts = counts

    def job(self, delivery: Delivery, on_done: Callable[[], None], on_refused: Callable[[Element], object]) -> Job:
        """Deliver a stanza; `on_done` is called when nothing is left to do, `on_refused` with a reply that came back. Raises nothing."""
        attempts = _Attempts(delivery, Backoff(), on_done, on_refused)

        def step() -> float | None:
            with on_behalf_of(delivery.request_id):
                return self._step(attempts)

        return step

    def refuse(self, delivery: Delivery, error: StanzaError, reason: str) -> None:
        """Answer a stanza that cannot be queued; a dead letter, where it must not be answered. Raises nothing."""
        reply = None if self._rooms.covers(delivery) else error_for(delivery.stanza, error)
        if reply is not None:
            self._replies.send(delivery, reply, lambda _refused: None)
        elif delivery.lasting:
            self._dead_letter(delivery, 0, reason)

    def _step(self, attempts: _Attempts) -> float | None:
        """One attempt, and what follows from it; the seconds until the next step, None if that was all."""
        sender = attempts.delivery.sender
        try:
            if attempts.reply is None:
                attempts.count += 1
                attempts.reply = self._post(attempts.delivery)
        except Exception as e:  # it would be raised again: no further attempt
            self._reports.exception("callback-job", "a stanza from %s was not delivered", sender)
            unforeseen = Reply(error_for(attempts.delivery.stanza, UNFORESEEN), f"internal error: {type(e).__name__}")
            attempts.reply = self._for_room(attempts.delivery, unforeseen)
        self._on_posted()
        try:
            return self._settle(attempts, attempts.reply)
        except Exception:
            self._reports.exception("callback-job", "the delivery of a stanza from %s is not acknowledged; it will be repeated", sender)
            return self._settings.retry_max

    def _post(self, delivery: Delivery) -> Reply:
        stanza, began = delivery.stanza, time.monotonic()
        try:
            answer = self._client.post(stanza, delivery.id, delivery.request_id)
        except (Unmappable, BadXML) as e:  # anybody can send a broken JSON container
            log.warning("callback %s: a stanza from %s has no such form: %s", self._name, delivery.sender, e)
            unwritable = Reply(error_for(stanza, stanza_error("bad-request", str(e))), f"it cannot be written: {e}", blame=True)
            return self._for_room(delivery, unwritable)
        except Unreachable as e:
            self._counts.callback_tried(self._name, "timeout" if e.timed_out else "unreachable", time.monotonic() - began)
            log.warning("callback %s: a stanza from %s was not delivered: %s", self._name, delivery.sender, e)
            return self._for_room(
                delivery, Reply(error_for(stanza, StanzaError("wait", "recipient-unavailable", str(e))), str(e), again=True)
            )
        self._counts.callback_tried(self._name, _result(answer), time.monotonic() - began)
        reply = self._for_room(delivery, reply_to(stanza, answer), answer.status)
        if reply.unreadable:
            log.warning("callback %s: the body of a %d was passed over: %s", self._name, answer.status, reply.unreadable)
        return reply

    def _for_room(self, delivery: Delivery, reply: Reply, status: int = 0) -> Reply:
        return self._rooms.reply(delivery, reply, status) if self._rooms.covers(delivery) else reply

    def _settle(self, attempts: _Attempts, reply: Reply) -> float | None:
        """Try again, or answer the sender and be done; as `_step`."""
        delivery = attempts.delivery
        if reply.again and delivery.lasting and attempts.count <= self._settings.retries:
            attempts.reply = None
            return min(max(attempts.backoff.next(FIRST_RETRY, self._settings.retry_max), reply.retry_after), self._settings.retry_max)
        is_answered = bool(reply.failed) and delivery.replayed  # its sender got that error when it was first given up
        stanza = None if is_answered else reply.stanza
        if stanza is not None and self._rooms.covers(delivery):
            handling = self._rooms.say(delivery, stanza)
            if handling is Handling.LATER:
                return attempts.backoff.next(FIRST_RETRY, self._settings.retry_max)
            stanza = None if handling is Handling.DONE else stanza
        if stanza is not None and (pause := self._replies.pause(delivery, is_empty=reply.empty)):
            if not reply.empty:
                return pause
            stanza = None
        if reply.failed and delivery.lasting and not (reply.blame and stanza is not None) and not attempts.is_dead_letter:
            attempts.is_dead_letter = self._dead_letter(delivery, attempts.count, reply.failed)
            if not attempts.is_dead_letter and stanza is None:
                attempts.reply = None  # the URL may accept it by then
                return self._settings.retry_max
        if stanza is not None and not self._replies.send(delivery, stanza, attempts.on_refused):
            return attempts.backoff.next(FIRST_RETRY, self._settings.retry_max)
        attempts.on_done()
        return None

    def _dead_letter(self, delivery: Delivery, attempts: int, reason: str) -> bool:
        """Keep it as a dead letter; whether it is kept, or can never be."""
        try:
            offload(partial(self._dead_letters.add, self._name, delivery, attempts, reason, self._settings.dead_letters))
        except StorageError as e:
            log.error("callback %s: an undelivered stanza from %s could not be kept: %s", self._name, delivery.sender, e)
            return False
        except Exception:  # what cannot be stored now never can be
            self._reports.exception("callback-lost", "an undelivered stanza from %s cannot be kept", delivery.sender)
        return True


def _result(answer: CallbackAnswer) -> str:
    """What came of an attempt, by the names in metrics."""
    if answer.status >= 500:
        return "failed"
    if answer.status >= 300:  # redirects are not followed
        return "refused"
    return "answered" if answer.body else "empty"
