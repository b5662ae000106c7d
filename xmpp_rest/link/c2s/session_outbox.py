"""Stanzas for a session, by any thread: made ready for its server, bounded, and queued (accounts-anywhere §1.2, §7.1)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.link.account_streams import session_lost
from xmpp_rest.link.c2s.acknowledgements import Acknowledgements, Barrier, OnConfirmed, QueuedStanza
from xmpp_rest.link.c2s.session_keeper import SessionKeeper
from xmpp_rest.link.c2s.session_stream import ping_to
from xmpp_rest.link.errors import OtherStream, OutboxFull
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import copied, new_id


class SessionOutbox:
    """What `write` and `confirm` of a session do."""

    def __init__(self, account: JID, keeper: SessionKeeper, counts: bool) -> None:
        """`counts`: whether XEP-0198 is enabled."""
        self.queue = Acknowledgements(counts)
        self._account = account
        self._keeper = keeper
        self._used = time.monotonic()
        self._repeats = False  # what the thread of the sessions puts goes first

    @property
    def idle(self) -> float:
        """Seconds since something was put, or waited."""
        return 0.0 if len(self.queue) else time.monotonic() - self._used

    def touch(self) -> None:
        """Something that waited does not any more."""
        self._used = time.monotonic()

    def put(self, stanza: Element) -> None:
        """Queue a stanza that nobody waits for. Raises BadXML and GatewayError: session-lost, outbox-share, stanza-too-big."""
        self._put([self._ready(stanza, confirmed=False)])

    def put_confirmed(self, stanzas: Sequence[Element], done: OnConfirmed, on_written: Callable[[], object] | None) -> None:
        """Queue stanzas and a barrier, all or none. Raises as `put`."""
        ready = [self._ready(stanza, confirmed=True) for stanza in stanzas]
        if ready and on_written is not None:
            ready[-1] = ready[-1]._replace(on_written=on_written)
        barrier = Barrier(identifier := new_id(), ping_to(self._account, identifier), done)
        self._put([*ready, QueuedStanza(barrier.data, "iq", True, barrier)])

    def repeat(self, repeat: Callable[[], object], counts: bool) -> None:
        """The session is new to its server, with XEP-0198 or without.

        What `repeat` puts goes before all that lasts, and what does not last is dropped.
        """
        self.queue.rebinds(counts)
        self._repeats = True
        try:
            repeat()
        finally:
            self._repeats = False
            self.queue.rebound()

    def _ready(self, stanza: Element, *, confirmed: bool) -> QueuedStanza:
        if "from" in stanza.attrib:  # the server puts it in; ejabberd ends the stream for a foreign one (accounts-anywhere §7.1)
            stanza = copied(stanza, from_=None)
        data = serialise(stanza).encode()
        if len(data) > (limit := self._keeper.settings.send_limit):
            raise GatewayError("stanza-too-big", f"The stanza is larger than {limit} bytes")
        return QueuedStanza(data, stanza.tag, confirmed)

    def _put(self, ready: Sequence[QueuedStanza]) -> None:
        self._used = time.monotonic()
        try:
            self.queue.put(ready, self._keeper.settings.queue_size, first=self._repeats and self._keeper.is_here())
        except OtherStream:
            raise session_lost(self._account) from None
        except OutboxFull:
            raise GatewayError("outbox-share") from None
