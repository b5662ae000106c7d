"""How do occupants query each other through the room? (XEP-0045 §17.2; XEP-0410 about one's own nick)"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import PING
from xmpp_rest.protocol.stanza import is_request, new_id, result
from xmpp_rest.service.muc.broadcast import Voice
from xmpp_rest.service.muc.notices import Refused, copied
from xmpp_rest.service.muc.rooms import Rooms

MAX_OPEN = 1000  # queries without an answer; the oldest gives way
_TO_ACCOUNT = ("{vcard-temp}vCard", "{http://jabber.org/protocol/pubsub}pubsub")  # what servers answer for their users


class Asked(NamedTuple):
    """A query on its way: who asked, with which id, and whom as whom."""

    asker: JID
    id: str
    occupant: str


class Relay:
    """Passes iqs on between occupants. Raises Refused, GatewayError."""

    def __init__(self, rooms: Rooms, voice: Voice) -> None:
        self._rooms = rooms
        self._voice = voice
        self._open: OrderedDict[tuple[JID, str], Asked] = OrderedDict()
        self._lock = threading.Lock()

    def iq(self, iq: Element, sender: JID, to: JID) -> Element | None:
        """An iq for `room/nick`: the answer where the room itself has it."""
        if not is_request(iq):
            self._answer(iq, sender)
            return None
        with self._rooms.held(to.local) as room:
            occupant, other = room.occupant(sender), room.occupants.get(to.resource)
            if occupant is None:
                raise Refused("not-acceptable", "only occupants may query others")  # XEP-0410 §3
            if other is None:
                raise Refused("item-not-found", "there is nobody of this nick in the room")
            if other is occupant and iq.find(f"{{{PING}}}ping") is not None:
                return result(iq)
            if not room.on("allow_query_users") and occupant.role != "moderator":
                raise Refused("not-allowed", "occupants may not query each other here")
            session = next(reversed(other.sessions))
            target = session.bare if len(iq) and iq[0].tag in _TO_ACCOUNT else session
            source = f"{room.jid}/{occupant.nick}"
        identifier = new_id()
        with self._lock:
            self._open[target, identifier] = Asked(sender, iq.get("id", ""), str(to))
            while len(self._open) > MAX_OPEN:
                self._open.popitem(last=False)
        refusal = self._voice.deliver(copied(iq, from_=source, to_=str(target), id_=identifier))
        if refusal is not None:
            self._answer(refusal, target)
        return None

    def _answer(self, answer: Element, sender: JID) -> None:
        """What an occupant answers, to whoever asked; nothing that nobody has asked is passed on."""
        with self._lock:
            asked = self._open.pop((sender, answer.get("id", "")), None)
        if asked is not None:
            self._voice.deliver(copied(answer, from_=asked.occupant, to_=str(asked.asker), id_=asked.id))
