"""Voice requests: visitors ask for voice, moderators grant it (XEP-0045 §7.13, §8.6)."""

from __future__ import annotations

from collections import OrderedDict
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.conditions import StanzaRefused
from xmpp_rest.protocol.forms import FORM, field, read_form
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import MUC
from xmpp_rest.protocol.stanza import child, make, new_id
from xmpp_rest.service.muc.affiliations import Affiliations
from xmpp_rest.service.muc.broadcast import Broadcaster
from xmpp_rest.service.muc.room import Occupant, Room
from xmpp_rest.service.muc.rooms import MucRooms

REQUEST = f"{MUC}#request"
MAX_REMEMBERED = 10_000  # times of requests
_TRUE = ("1", "true")


class VoiceRequests:
    """Handles the forms of requests and of decisions; called with the room held."""

    def __init__(self, rooms: MucRooms, broadcaster: Broadcaster, affiliations: Affiliations) -> None:
        self._rooms = rooms
        self._broadcaster = broadcaster
        self._affiliations = affiliations
        self._asked: OrderedDict[tuple[JID, JID], float] = OrderedDict()

    def handle(self, room: Room, stanza: Element, sender: JID) -> bool:
        """Forward a request, or apply a moderator's decision; False for any other message. Raises StanzaRefused."""
        form = stanza.find(f"{FORM}x")
        fields = read_form(form) if form is not None else {}
        if fields.get("FORM_TYPE") != [REQUEST]:
            return False
        occupant = room.occupant(sender)
        if occupant is None:
            raise StanzaRefused("not-acceptable", "only occupants may ask for voice")
        if "muc#request_allow" in fields:
            self._decide(room, occupant, fields)
        else:
            self._ask(room, occupant)
        return True

    def _ask(self, room: Room, occupant: Occupant) -> None:
        if not room.on("allow_voice_requests"):
            raise StanzaRefused("forbidden", "voice requests are not allowed here")
        if occupant.role != "visitor":
            return
        now, key = self._rooms.clock(), (room.jid, occupant.bare)
        if now - self._asked.get(key, -1e12) < int(room.options["voice_request_min_interval"]):
            raise StanzaRefused("resource-constraint", "you have asked a short time ago", "wait")
        self._asked[key] = now
        self._asked.move_to_end(key)
        while len(self._asked) > MAX_REMEMBERED:
            self._asked.popitem(last=False)
        for session, moderator in room.sessions():
            if moderator.role == "moderator":
                self._broadcaster.deliver(make("message", _approval(occupant), from_=str(room.jid), to_=str(session), id_=new_id()))

    def _decide(self, room: Room, moderator: Occupant, fields: dict[str, list[str]]) -> None:
        if moderator.role != "moderator":
            raise StanzaRefused("forbidden", "moderators decide about voice")
        asking = room.occupants.get("".join(fields.get("muc#roomnick", [])))
        if "".join(fields["muc#request_allow"]) not in _TRUE or asking is None or asking.role != "visitor":
            return
        self._affiliations.set_role(room, asking, "participant")


def _approval(occupant: Occupant) -> Element:
    rows = (
        ("FORM_TYPE", "hidden", "", REQUEST),
        ("muc#role", "list-single", "Requested role", "participant"),
        ("muc#jid", "jid-single", "User", str(next(reversed(occupant.sessions)))),
        ("muc#roomnick", "text-single", "Nick", occupant.nick),
        ("muc#request_allow", "boolean", "Grant voice?", "false"),
    )
    fields = [field(value, var=var, type=kind, label=label) for var, kind, label, value in rows]
    return make(f"{FORM}x", child(f"{FORM}title", "Voice request"), *fields, type="form")
