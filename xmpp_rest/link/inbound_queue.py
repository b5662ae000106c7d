"""The inbound queue: answers wake the requests that wait for them; other stanzas are handled in order, off the stream's thread.

Whatever is raised on the way, the stanza is accounted for and the next one is taken: a request is answered `internal-server-error`.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.incidents import Incidents
from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.link.router import Router
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import KINDS, is_answer, is_request, refusal

log = logging.getLogger("xmpp_rest.link")

MAX_BYTES = 16 << 20  # of stanzas that wait; as elements they take several times that
PAUSE = 0.1  # seconds between two looks while there is no room for what comes of a stanza
MAX_SHOWN = 200  # characters of an address in the log
FAILED = StanzaError("wait", "internal-server-error")


class Item(NamedTuple):
    """A stanza that waits. `error`: it is only to be answered, for that is all there is of it. `size`: of the stanza, in bytes."""

    stanza: Element
    sender: JID
    to: JID
    error: StanzaError | None = None
    size: int = 0


class InboundQueue:
    """The ComponentEvents of all streams. One thread hands stanzas to the router; `start()` and `stop()` are called by the Gateway."""

    def __init__(
        self, router: Router, size: int, incidents: Incidents, counts: Counts, has_room: Callable[[], bool] | None = None
    ) -> None:
        """`has_room`: whether there is room for what comes of one more, which waits otherwise; None: always."""
        self._has_room = has_room
        self._stopping = threading.Event()
        self._router = router
        self._size = size
        self._incidents = incidents
        self._counts = counts
        self._inbox: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._bytes = 0  # of what is in the inbox, and of what is being handled
        self._counting = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="inbound", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Handle what is in the inbox, then end (bounded)."""
        self._stopping.set()
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join(5)

    def congested(self) -> bool:
        """Whether the inbox is full; the stream then stops reading, so it passes its size by at most one read."""
        return self._inbox.qsize() >= self._size or self._bytes >= MAX_BYTES

    def changed(self, domain: str, online: bool) -> None:
        self._router.link_changed(domain, online)

    # on the stream's thread, which must go on

    def received(self, domain: str, stanza: Element, size: int) -> None:
        try:
            item = self._addressed(domain, stanza)
            if item is not None:
                self._counts.received(stanza.tag)
            if item is not None and (item.error or not self._router.resolve(item.stanza, item.sender, item.to)):
                self._put(item._replace(size=size))
        except Exception:
            self._report("stanza-failed", "stream of %s: a stanza from %s could not be taken", domain, _for_log(stanza, "from"))

    def skipped(self, domain: str, head: Element, why: str) -> None:
        """A stanza was beyond a bound; `head` is all that there is of it."""
        try:
            self._incidents.report(
                log, "stanza-skipped", "stream of %s: skipped a <%s/> from %s to %s: %s",
                domain, head.tag, _for_log(head, "from"), _for_log(head, "to"), why,
            )  # fmt: skip
            self._skip(domain, head, StanzaError("modify", "policy-violation", f"the stanza is not taken here: {why}"))
        except Exception:
            self._report("stanza-failed", "stream of %s: a skipped stanza from %s is not answered", domain, _for_log(head, "from"))

    def _skip(self, domain: str, head: Element, error: StanzaError) -> None:
        item = self._addressed(domain, head)
        if item is None:
            return
        if head.get("type") == "error" or is_answer(head):  # the request that waits for it must not wait forever
            told = refusal(head, error._replace(by=domain))
            told.attrib |= {key: head.attrib[key] for key in ("from", "to") if key in head.attrib}
            self._router.resolve(told, item.sender, item.to)
        else:
            self._put(item if item.error else item._replace(error=error))

    def _put(self, item: Item) -> None:
        self._count(item.size)
        self._inbox.put(item)

    def _count(self, size: int) -> None:
        with self._counting:
            self._bytes += size

    def _addressed(self, domain: str, stanza: Element) -> Item | None:
        """The stanza with its addresses; None if it is not for a hosted domain, or cannot have been sent on this link."""
        to, sender = jid_or_none(stanza.get("to")), jid_or_none(stanza.get("from"))
        if stanza.tag not in KINDS or sender is None or (to is not None and to.domain not in self._router.domains):
            self._drop("stanza-dropped", domain, stanza, "it is not for this gateway")
            return None
        if sender.domain in self._router.domains:  # what hosted addresses say to each other never leaves the gateway
            if not (is_request(stanza) and sender == to):  # an iq of the gateway to itself that has timed out, or came on another stream
                self._drop("stanza-forged", domain, stanza, "the sender is at a hosted domain")
            return None
        if to is None:
            self._drop("stanza-dropped", domain, stanza, "'to' is not a valid address")
            stanza.set("to", domain)
            return Item(stanza, sender, JID("", domain, ""), StanzaError("modify", "jid-malformed", "'to' is not a valid address"))
        return Item(stanza, sender, to)

    def _drop(self, kind: str, domain: str, stanza: Element, why: str) -> None:
        self._incidents.report(
            log, kind, "stream of %s: dropped a <%s/> from %s to %s: %s",
            domain, stanza.tag[:MAX_SHOWN], _for_log(stanza, "from"), _for_log(stanza, "to"), why,
        )  # fmt: skip

    # on a thread of its own

    def _run(self) -> None:
        while (item := self._inbox.get()) is not None:
            try:
                if self._has_room is not None:
                    self._wait_for_room(self._has_room)
                self._take(item)
            except Exception:
                self._report("stanza-failed", "a stanza from %s is not answered", item.sender)
            self._count(-item.size)

    def _wait_for_room(self, has_room: Callable[[], bool]) -> None:
        try:
            while not has_room() and not self._stopping.wait(PAUSE):
                pass
        except Exception as e:  # the storage: what is handled then says so
            self._incidents.report(log, "room-unknown", "it is not known whether there is room for what comes of a stanza: %r", e)

    def _take(self, item: Item) -> None:
        try:
            stanza, sender, to, error, _ = item
            answer = self._refused(item, error) if error else self._router.deliver(stanza, sender, to)
            if answer is not None:
                self._router.send(answer)
        except Exception:  # a full disk, say, or what cannot be written as XML: the sender has to know that it was not taken
            self._report("stanza-failed", "a stanza from %s to %s could not be handled", item.sender, item.to)
            failed = self._refused(item, FAILED)
            if failed is not None:
                self._router.send(failed)

    def _refused(self, item: Item, error: StanzaError) -> Element | None:
        stanza, sender, to = item[:3]
        return refusal(stanza, error) if self._router.is_error_due(stanza, sender, to) else None

    def _report(self, kind: str, message: str, *arguments: object) -> None:
        self._incidents.report(log, kind, message, *arguments, level=logging.ERROR, trace=True)


def _for_log(stanza: Element, attribute: str) -> str:
    return repr(stanza.get(attribute))[:MAX_SHOWN]
