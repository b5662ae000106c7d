"""Sends the replies of a callback: at a bounded rate, and an error instead of a reply that cannot be sent."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from xml.etree.ElementTree import Element

from drivers import StorageError
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.router import Router
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.callbacks.delivery import Delivery
from xmpp_rest.service.callbacks.reflections import Reflections
from xmpp_rest.service.callbacks.reply import error_for
from xmpp_rest.service.callbacks.reports import Reports

log = logging.getLogger(__name__)

BURST = 1.0  # seconds without replies that are made up for
MAX_PAIRS = 10_000  # that are remembered; the least recently used one is dropped first
UNFORESEEN = StanzaError("wait", "internal-server-error")
OnRefused = Callable[[Element], object]
"""Gets what was answered to a reply at once: the URL gets it as any error."""


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
        refused = self._router.send(reply)
        if refused is not None:
            on_refused(refused)
