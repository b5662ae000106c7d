"""What happens to a stanza that came in on a stream? Answers wake who waits; the rest is handled in order, off the stream's thread."""

from __future__ import annotations

import logging
import queue
import threading
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.link.router import Router
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import KINDS, may_be_refused, refusal

log = logging.getLogger(__name__)

Item = tuple[Element, JID, JID]


class Intake:
    """The Events of all streams. One thread hands stanzas to the router; `start()` and `stop()` are called by the Gateway."""

    def __init__(self, router: Router, size: int) -> None:
        self._router = router
        self._size = size
        self._inbox: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="intake", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Handle what is in the inbox, then end (bounded)."""
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join(5)

    def congested(self) -> bool:
        """Whether the inbox is full; the stream then stops reading, so it passes its size by one read at the most."""
        return self._inbox.qsize() >= self._size

    def changed(self, domain: str, online: bool) -> None:
        if not online:
            self._router.stream_down(domain)

    def received(self, domain: str, stanza: Element) -> None:
        to, sender = jid_or_none(stanza.get("to")), jid_or_none(stanza.get("from"))
        if stanza.tag not in KINDS or to is None or sender is None or to.domain not in self._router.domains:
            log.warning("stream of %s: dropped a <%s/> from %r to %r", domain, stanza.tag, stanza.get("from"), stanza.get("to"))
            return
        if self._router.settle(stanza, sender, to):
            return
        self._inbox.put((stanza, sender, to))

    def _run(self) -> None:
        while (item := self._inbox.get()) is not None:
            try:
                self._handle(*item)
            except GatewayError as e:
                log.warning("the answer to a stanza from %s could not be sent: %s", item[1], e)
            except BadXML as e:
                log.warning("a stanza from %s cannot be answered: %s", item[1], e)
            except Exception:
                log.exception("the answer to a stanza from %s could not be sent", item[1])

    def _handle(self, stanza: Element, sender: JID, to: JID) -> None:
        try:
            answer = self._router.deliver(stanza, sender, to)
        except Exception:  # a full disk, say: the sender has to know that it was not taken
            log.exception("a stanza from %s to %s could not be handled", sender, to)
            failed = stanza.tag != "presence" and may_be_refused(stanza)
            answer = refusal(stanza, StanzaError("wait", "internal-server-error")) if failed else None
        if answer is not None:
            self._router.send(answer)
