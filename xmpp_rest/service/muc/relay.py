"""The iq relay: forwards queries between occupants through the room (XEP-0045 §17.2; self-ping: XEP-0410)."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.conditions import StanzaRefused
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import PING
from xmpp_rest.protocol.stanza import copied, is_request, new_id, result
from xmpp_rest.service.muc.broadcast import Broadcaster
from xmpp_rest.service.muc.rooms import MucRooms

MAX_OPEN = 1000  # queries without an answer; the oldest is dropped
_TO_ACCOUNT = ("{vcard-temp}vCard", "{http://jabber.org/protocol/pubsub}pubsub")  # what servers answer for their users


class RelayedQuery(NamedTuple):
    """A query that waits for its answer: the asker, the asker's id, and the occupant's address in the room."""

    asker: JID
    id: str
    occupant: str


class IqRelay:
    """Forwards iqs between occupants. Raises StanzaRefused, GatewayError."""

    def __init__(self, rooms: MucRooms, broadcaster: Broadcaster) -> None:
        self._rooms = rooms
        self._broadcaster = broadcaster
        self._open: OrderedDict[tuple[JID, str], RelayedQuery] = OrderedDict()
        self._lock = threading.Lock()

    def iq(self, iq: Element, sender: JID, to: JID) -> Element | None:
        """Handle an iq for `room/nick`; the answer if the room itself gives it."""
        if not is_request(iq):
            self._answer(iq, sender)
            return None
        with self._rooms.held(to.local) as room:
            occupant, other = room.occupant(sender), room.occupants.get(to.resource)
            if occupant is None:
                raise StanzaRefused("not-acceptable", "only occupants may query others")  # XEP-0410 §3
            if other is None:
                raise StanzaRefused("item-not-found", "no occupant has this nick")
            if other is occupant and iq.find(f"{{{PING}}}ping") is not None:
                return result(iq)
            if not room.on("allow_query_users") and occupant.role != "moderator":
                raise StanzaRefused("not-allowed", "occupants may not query each other here")
            session = next(reversed(other.sessions))
            target = session.bare if len(iq) and iq[0].tag in _TO_ACCOUNT else session
            source = f"{room.jid}/{occupant.nick}"
        identifier = new_id()
        with self._lock:
            self._open[target, identifier] = RelayedQuery(sender, iq.get("id", ""), str(to))
            while len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)
        refusal = self._broadcaster.deliver(copied(iq, from_=source, to_=str(target), id_=identifier))
        if refusal is not None:
            self._answer(refusal, target)
        return None

    def _answer(self, answer: Element, sender: JID) -> None:
        """Forward an occupant's answer to the asker; an answer without a query is ignored."""
        with self._lock:
            asked = self._open.pop((sender, answer.get("id", "")), None)
        if asked is not None:
            self._broadcaster.deliver(copied(answer, from_=asked.occupant, to_=str(asked.asker), id_=asked.id))
