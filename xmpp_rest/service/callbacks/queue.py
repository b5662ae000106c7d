"""The queue of stanzas for one callback's URL, a `[callback.NAME]` section.

A stanza of a hosted sender is on disk when `take` returns, for the sender is told that it is kept. One that came on the link is written
down by a thread of its own a few milliseconds later, with all that came meanwhile: its sender was told nothing yet, and the link goes on.
The same thread writes down what was answered, with the next stanza or after SETTLE: a crash later than that repeats no delivery.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence
from enum import Enum
from xml.etree.ElementTree import Element

from xmpp_rest.config.table import CallbackSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.journals import Journals
from xmpp_rest.link.router import Router
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.protocol.conditions import StanzaError, stanza_error
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import may_be_refused, refusal
from xmpp_rest.service.callbacks.dead_letters import DeadLetters
from xmpp_rest.service.callbacks.delivery import Accepted, Delivery, DeliveryJournal, new_delivery
from xmpp_rest.service.callbacks.http_client import CallbackClient
from xmpp_rest.service.callbacks.reflections import Reflections
from xmpp_rest.service.callbacks.reply_sender import UNFORESEEN, ReplySender
from xmpp_rest.service.callbacks.reports import Reports
from xmpp_rest.service.callbacks.room_replies import RoomReplies, Say
from xmpp_rest.service.callbacks.worker import DeliveryWorker
from xmpp_rest.threads.crew import crew
from xmpp_rest.threads.keyed_pool import Job, KeyedPool
from xmpp_rest.threads.timers import Timers

log = logging.getLogger("xmpp_rest.callbacks")

_FULL = "too many stanzas wait for this address (queue_size), or too many of this sender (queue_share)"
FULL = StanzaError("wait", "resource-constraint", _FULL)
BURST = 256  # stanzas that are accepted with one write, at most
SETTLE = 0.5  # seconds until answers are on disk, those to many deliveries together


class Note(Enum):
    """What the thread of the journal is told besides stanzas."""

    STOP = "stop"
    SETTLE = "settle"


class CallbackQueue:
    """The stanzas of one callback. Owned by `Callbacks`; `start()` and `stop()` are called once each."""

    def __init__(
        self,
        name: str,
        settings: CallbackSettings,
        router: Router,
        say: Say,
        dead: DeadLetters,
        journals: Journals,
        timers: Timers,
        incidents: Incidents,
        counts: Counts,
    ) -> None:
        """`say`: says something in a room on another server."""
        self.name = name
        self.settings = settings
        self.dead = dead
        workers = crew(f"callback {name}")
        self.pool = KeyedPool(workers, settings.concurrency, settings.queue_size, settings.share)
        self.client = CallbackClient(settings, workers.wait)
        self._reports = Reports(name, incidents)
        self._reflections = Reflections()
        replies = ReplySender(name, settings.reply_rate, router, self._reflections, self._reports)
        self.room_replies = RoomReplies(settings, say, self._reports)
        self._worker = DeliveryWorker(name, settings, self.client, replies, self.room_replies, dead, self._reports, self.pool.leave, counts)
        self._hosted = router.domains
        self._afterwards = router.afterwards
        self._journal = DeliveryJournal(name, journals if settings.keep == "disk" else None)
        self._received: queue.SimpleQueue[Delivery | Note] = queue.SimpleQueue()  # on the link, not accepted yet
        self._timers = timers
        self._settles = False  # a timer will tell the thread of the journal
        self._answering = threading.Lock()  # guards the line above
        workers.begin(self._probe_first)
        self._writer = threading.Thread(target=self._accept_received, name=f"callback {name} journal", daemon=True)

    def start(self) -> None:
        """What an earlier process left goes first, after the probe. Raises OSError: the journal cannot be opened."""
        self._restore(self._journal.open(self._restore))
        self.pool.pause()
        self.pool.start()
        self._writer.start()

    def _restore(self, kept: Sequence[Accepted]) -> None:
        """Queue what is in the journal, however many wait."""
        for accepted in kept:
            self.pool.restore(accepted[1].sender.bare, self._job(accepted))

    def stop(self) -> None:
        """Stop; waiting deliveries stay on disk, and running attempts get a moment to end."""
        self._received.put(Note.STOP)
        if self._writer.is_alive():
            self._writer.join(1)
        self.pool.stop()
        self.client.close()
        self._journal.close()

    def _probe_first(self) -> None:
        """By a worker of its own, so that the start does not wait for a URL that does not answer."""
        self.client.choose_format(self.name, self.settings.address[0].domain)
        self.pool.resume()

    def accepts(self, stanza: Element, to: JID) -> bool:
        """Whether kind and form of address are configured."""
        form = ("full" if to.resource else "bare") if to.local else "host"  # as mod_rest names it
        return stanza.tag in self.settings.kinds and form in self.settings.events

    def enqueue(self, stanza: Element, sender: JID, to: JID) -> Element | None:
        """Queue the stanza for the URL, if it is configured; otherwise, or if the queue is full, an error for its sender.

        What the bot itself said in a room is dropped. Raises GatewayError: storage-failed.
        """
        if self._reflections.observe(stanza, sender, to):
            return None
        if not self.accepts(stanza, to):
            refused = stanza.tag != "presence" and may_be_refused(stanza)
            return refusal(stanza, stanza_error("service-unavailable")) if refused else None
        if not self.pool.claim(sender.bare):
            text = "the queue, or the sender's share of it, is full; a stanza from %s is refused"
            self._reports.warning("callback-full", text, sender)
            return refusal(stanza, FULL) if may_be_refused(stanza) else None
        delivery = new_delivery(stanza, sender, to)
        if sender.domain not in self._hosted:
            self._received.put(delivery)  # an iq too, as the order is kept
            return None
        try:
            self._accept((delivery,))
        except GatewayError:
            raise
        except Exception:
            self._report(sender)
            return refusal(stanza, UNFORESEEN) if may_be_refused(stanza) else None
        return None

    def heard(self, stanza: Element, sender: JID, to: JID) -> None:
        """Queue what was said in a room for the URL, whatever kinds are configured; rooms are told nothing if the queue is full."""
        if self.pool.claim(sender.bare):
            self._received.put(new_delivery(stanza, sender, to))
        else:
            self._reports.warning("callback-full", "the queue, or the room's share of it, is full; a message from %s is dropped", sender)

    def _report(self, sender: JID) -> None:
        self._reports.exception("callback-job", "a stanza from %s cannot be queued", sender)

    def replay(self, delivery: Delivery) -> bool:
        """Queue a dead letter again; False if there is no room. Raises GatewayError: storage-failed."""
        claimed = self.pool.claim(delivery.sender.bare)
        if claimed:
            self._accept((delivery._replace(replayed=True),))
        return claimed

    def _accept(self, deliveries: Sequence[Delivery]) -> None:
        """Write down these, for which a place is claimed, and queue them; or none, and the places are free again.

        The sender's archive gets a message before the reply: they are queued once the sending thread has archived it.
        Raises GatewayError, storage-failed; and whatever writing them down raises.
        """
        try:
            accepted = self._journal.append(deliveries)
        except Exception as e:
            for delivery in deliveries:
                self.pool.give_up(delivery.sender.bare)
            if isinstance(e, OSError):
                raise GatewayError("storage-failed", f"The stanza cannot be kept: {e.strerror or e}") from e
            raise
        self._afterwards.do(lambda: self._queue(accepted))

    def _queue(self, accepted: Sequence[Accepted]) -> None:
        for one in accepted:
            self.pool.put(one[1].sender.bare, self._job(one))

    def _job(self, accepted: Accepted) -> Job:
        number, delivery = accepted
        return self._worker.job(
            delivery,
            on_done=lambda: self._answered(number),
            on_refused=lambda refused: self.enqueue(refused, delivery.sender, delivery.to),
        )

    def _answered(self, number: int) -> None:
        """A delivery was answered: that is on disk with the next stanza, or after SETTLE."""
        if not self._journal.ack(number):
            return
        with self._answering:
            is_first, self._settles = not self._settles, True
        if is_first:
            self._timers.after(SETTLE, self._settle_soon)

    def _settle_soon(self) -> None:
        with self._answering:
            self._settles = False
        self._received.put(Note.SETTLE)

    def _accept_received(self) -> None:
        """On a thread of its own: accept what came on the link, all that came meanwhile at once."""
        while (first := self._received.get()) is not Note.STOP:
            received: list[Delivery] = []
            another: Delivery | Note = first
            while isinstance(another, Delivery):
                received.append(another)
                if len(received) >= BURST or self._received.empty():
                    break
                another = self._received.get()
            if received:
                self._accept_or_refuse(received)
            if another is Note.SETTLE:
                self._settle()
            elif another is Note.STOP:
                return

    def _settle(self) -> None:
        """Raises nothing, for the thread has to go on."""
        try:
            self._journal.settle()
        except OSError as e:
            log.warning("callback %s: what was answered is not on disk, and is delivered again after a crash: %s", self.name, e)

    def _accept_or_refuse(self, deliveries: Sequence[Delivery]) -> None:
        """Raises nothing, for the thread has to go on."""
        try:
            self._accept(deliveries)
        except GatewayError as e:
            log.error("callback %s: %d stanzas are refused: %s", self.name, len(deliveries), e)
            for delivery in deliveries:
                self._worker.refuse(delivery, UNFORESEEN, e.text)
        except Exception:
            self._accept_each(deliveries)

    def _accept_each(self, deliveries: Sequence[Delivery]) -> None:
        """Queue these one by one, as one of them cannot be written to the journal."""
        if len(deliveries) == 1:
            self._report(deliveries[0].sender)
            self._worker.refuse(deliveries[0], UNFORESEEN, "it could not be queued")
            return
        for delivery in deliveries:
            if self.pool.claim(delivery.sender.bare):
                self._accept_or_refuse((delivery,))
            else:
                self._worker.refuse(delivery, FULL._replace(text=""), _FULL)
