"""Sends the replies of a callback: at a bounded rate, and an error instead of a reply that cannot be sent."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from xml.etree.ElementTree import Element

from drivers import StorageError
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.errors import concerns_all
from xmpp_rest.link.router import Router
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.callbacks.delivery import Delivery
from xmpp_rest.service.callbacks.reflections import Reflections
from xmpp_rest.service.callbacks.reply import error_for
from xmpp_rest.service.callbacks.reports import Reports
from xmpp_rest.threads.group import GroupExecutor
from xmpp_rest.threads.tasks import offload

log = logging.getLogger("xmpp_rest.callbacks")

BURST = 1.0  # seconds without replies that are made up for
MAX_PAIRS = 10_000  # that are remembered; the least recently used one is dropped first
UNFORESEEN = StanzaError("wait", "internal-server-error")
OnRefused = Callable[[Element], object]
"""Gets what was answered to a reply at once: the URL gets it as any error."""
Outgoing = tuple[str, Element]
"""The domain that sends it, and a message to another server's domain."""


class ReplyGuard:
    """A rate limit for each pair of bare addresses, so that two programs cannot answer each other at full speed.

    Each reply uses up the time of one. Time that was not used may be used later, but at most BURST. Safe to be used by several threads.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`rate`: replies a second in the long run."""
        self._rate = rate
        self._clock = clock
        self._used: OrderedDict[tuple[JID, JID], float] = OrderedDict()  # until when a pair's time is used up (monotonic)
        self._lock = threading.Lock()

    def wait(self, source: JID, to: JID) -> float:
        """0 if `source` may answer `to` now, which is then counted; otherwise the seconds until it may."""
        pair, now = (source.bare, to.bare), self._clock()
        with self._lock:
            after = max(self._used.get(pair, 0.0), now - BURST) + 1 / self._rate
            if after > now:
                return after - now
            self._used[pair] = after
            self._used.move_to_end(pair)
            if len(self._used) > MAX_PAIRS:
                self._used.popitem(last=False)
        return 0.0


class ReplySender:
    """Safe to be used by several threads. `reflections` is told what is said in rooms."""

    def __init__(self, name: str, rate: float, router: Router, reflections: Reflections, reports: Reports) -> None:
        """`rate`: replies a second to one address in the long run."""
        self._name = name
        self._rate = rate
        self._guard = ReplyGuard(rate)
        self._router = router
        self._reflections = reflections
        self._reports = reports
        self._group: GroupExecutor[Outgoing, Exception | None] = GroupExecutor(self._send_out)

    def pause(self, delivery: Delivery, *, is_empty: bool) -> float:
        """Seconds until the sender may be answered; an iq's answer is never answered, so it goes at once."""
        if delivery.stanza.tag == "iq":
            return 0.0
        pause = self._guard.wait(delivery.to, delivery.sender)
        if pause:
            what = "an empty reply to %s is left out" if is_empty else "a reply to %s waits"
            self._reports.warning("callback-replies", f"more than {self._rate} replies a second: {what}", delivery.sender)
        return pause

    def send(self, delivery: Delivery, reply: Element, on_refused: OnRefused) -> bool:
        """Send the reply, or an error instead if it cannot be sent; False if it may be sent later. Raises nothing."""
        try:
            self._send(delivery, reply, on_refused)
        except (GatewayError, StorageError) as e:
            log.warning("callback %s: the reply to %s could not be sent: %s", self._name, delivery.sender, e)
            if delivery.lasting and (isinstance(e, StorageError) or e.row.type == "wait"):
                return False
            self._send_error(delivery, reply, on_refused)
        except Exception:  # BadXML among others
            self._reports.exception("callback-reply", "the reply to %s could not be sent", delivery.sender)
            self._send_error(delivery, reply, on_refused)
        return True

    def _send_error(self, delivery: Delivery, reply: Element, on_refused: OnRefused) -> None:
        """The sender gets at least an error."""
        error = error_for(delivery.stanza, UNFORESEEN)
        if error is None or reply.get("type") == "error":
            return
        try:
            self._send(delivery, error, on_refused)
        except Exception:
            self._reports.exception("callback-reply", "%s could not be told that there is no answer", delivery.sender)

    def _send(self, delivery: Delivery, reply: Element, on_refused: OnRefused) -> None:
        if reply.get("type") == "error" and self._router.is_of_room(delivery.stanza, delivery.sender, delivery.to):
            return  # a room removes an occupant that sends errors
        if reply.get("type") == "groupchat":
            self._reflections.record(delivery.to, delivery.sender, reply.get("id", ""))
        is_hosted = delivery.sender.domain in self._router.domains
        if reply.tag == "message" and self._router.has_link and not is_hosted:
            (error,) = self._group.run(((delivery.to.domain, reply),))
            if error is not None:
                raise error
            return
        refused = offload(partial(self._router.send, reply)) if is_hosted else self._router.send(reply)  # the storage may take its time
        if refused is not None:
            on_refused(refused)

    def _send_out(self, replies: Sequence[Outgoing]) -> list[Exception | None]:
        """Send messages to other domains, with one commit for all that one domain says; an error for each that cannot be sent."""
        errors: dict[int, Exception | None] = {}
        for domain in dict.fromkeys(domain for domain, _ in replies):
            places = [n for n, reply in enumerate(replies) if reply[0] == domain]
            errors |= zip(places, self._send_all(domain, [replies[n][1] for n in places]), strict=True)
        return [errors[n] for n in range(len(replies))]

    def _send_all(self, domain: str, stanzas: Sequence[Element]) -> list[Exception | None]:
        try:
            self._router.send_out(domain, stanzas, [serialise(stanza) for stanza in stanzas])
        except Exception as e:  # all or none
            if concerns_all(e):
                return [e.again() for _ in stanzas]
            return [e] if len(stanzas) == 1 else [error for stanza in stanzas for error in self._send_all(domain, (stanza,))]
        return [None] * len(stanzas)
