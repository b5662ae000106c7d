"""Ends sessions, and broadcasts their presence."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from drivers import StorageError
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.events import Events
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import child, make, new_id
from xmpp_rest.service.contacts.presence import Presences
from xmpp_rest.service.messages.send import Sending
from xmpp_rest.service.streams.online import NAMELESS, Online, Session
from xmpp_rest.service.streams.registry import Streams

log = logging.getLogger("xmpp_rest.streams")


class Sessions:
    """Acts on the sessions of the hosted accounts. Methods raise StorageError, GatewayError."""

    def __init__(self, online: Online, streams: Streams, presences: Presences, sending: Sending, events: Events) -> None:
        self._online = online
        self._streams = streams
        self._presences = presences
        self._sending = sending
        events.stream_closed.subscribe(self._on_stream_closed)

    def kick(self, sessions: Iterable[Session], reason: str) -> int:
        """End these sessions; their number."""
        count = 0
        for count, session in enumerate(sessions, 1):  # noqa: B007
            self._streams.end(session.jid, reason)
            if session.show != "unavailable":
                self.send_presence(session.jid, "unavailable", "", reason, 0)
        return count

    def end_all(self, account: JID, reason: str) -> None:
        """End all sessions of the account, even if the unavailable presence cannot be sent.

        Raises StorageError, and GatewayError if no process says which sessions there are.
        """
        for session in self._online.of(account):
            try:
                self.kick([session], reason)
            except GatewayError as e:
                log.warning("no contact was told that %s is gone: %s", session.jid, e)

    def send_presence(self, jid: JID, kind: str, show: str, text: str, priority: int) -> None:
        """Have a resource broadcast its presence; `kind`: "" for available, or unavailable."""
        said = {"show": show, "status": text, "priority": str(priority) if priority else ""}
        payload = [child(name, value) for name, value in said.items() if value]
        sender = self.sender(jid)
        self._sending.send(make("presence", *payload, from_=str(sender), type_=kind, id_=new_id()), sender, sender.bare)

    def sender(self, jid: JID) -> JID:
        """The address by which a session sends: without a resource, if that is how it said that it is available."""
        if jid.resource != NAMELESS or any(row.jid.resource == NAMELESS for row in self._presences.rows(jid.bare)):
            return jid
        return jid.bare

    def _on_stream_closed(self, jid: JID) -> None:
        """A resource that said it is available is so no longer."""
        try:
            if any(row.jid == jid for row in self._presences.rows(jid.bare)):
                self.send_presence(jid, "unavailable", "", "", 0)
        except Exception as e:  # other streams end after this one
            unforeseen = not isinstance(e, StorageError | GatewayError)
            log.warning("%s stays available although its stream has ended: %s", jid, e, exc_info=unforeseen)
