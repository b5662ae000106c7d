"""The stanzas by which occupants come into rooms and leave them, and what those of rooms say (XEP-0045 §7, §9, §10, §15.6.2)."""

from __future__ import annotations

from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import DATA_FORMS, MUC, MUC_USER, OCCUPANT_ID, PING
from xmpp_rest.protocol.stanza import child, make, new_id
from xmpp_rest.service.rooms.values import RoomPlace

SELF, CREATED, ASSIGNED, RENAMED = "110", "201", "210", "303"
TEXT, WORD = 500, 64  # characters of a reason, and of a role: rooms may say anything
_USER = f"{{{MUC_USER}}}x"
_OWNER = f"{{{MUC}#owner}}"
_REASON = f"{{{MUC_USER}}}reason"
_DESTROY = f"{_USER}/{{{MUC_USER}}}destroy"
_ITEM = f"{_USER}/{{{MUC_USER}}}item"
_STATUS = f"{_USER}/{{{MUC_USER}}}status"
_MOST_CODES = 20


class RoomSaid(NamedTuple):
    """What a presence of a room says of the occupant that it is from. Empty: nothing."""

    codes: frozenset[str]
    new_nick: str
    role: str
    affiliation: str
    jid: str
    occupant_id: str
    actor: str
    """Who has put them out."""
    reason: str
    is_destroyed: bool
    alternate: str
    """Where the destroyed room is now."""

    @property
    def is_own(self) -> bool:
        """Whether the occupant is who is told of it."""
        return SELF in self.codes


def said_by(presence: Element) -> RoomSaid:
    """What this presence says."""
    codes = [status.get("code", "")[:WORD] for status in presence.iterfind(_STATUS)][:_MOST_CODES]
    item, destroy, identity = presence.find(_ITEM), presence.find(_DESTROY), presence.find(f"{{{OCCUPANT_ID}}}occupant-id")
    actor = item.find(f"{{{MUC_USER}}}actor") if item is not None else None
    told = destroy if destroy is not None else item
    of = {} if item is None else item.attrib
    return RoomSaid(
        frozenset(codes),
        of.get("nick", "")[:TEXT],
        of.get("role", "")[:WORD],
        of.get("affiliation", "")[:WORD],
        of.get("jid", "")[: 3 * 1024],
        identity.get("id", "")[:TEXT] if identity is not None else "",
        (actor.get("nick") or actor.get("jid") or "")[:TEXT] if actor is not None else "",
        ((told.findtext(_REASON) if told is not None else None) or "")[:TEXT],
        destroy is not None,
        destroy.get("jid", "")[: 3 * 1024] if destroy is not None else "",
    )


def entering(place: RoomPlace, nick: str, password: str | None, history: int, identifier: str) -> Element:
    """The presence by which an occupant comes in, or in again."""
    x = make(f"{{{MUC}}}x", child(f"{{{MUC}}}history", maxstanzas=str(history)))
    if password is not None:
        x.append(child(f"{{{MUC}}}password", password))
    return make("presence", x, id_=identifier, from_=str(place.occupant), to_=_in_room(place, nick))


def renaming(place: RoomPlace, nick: str, identifier: str) -> Element:
    """The presence by which an occupant takes another nick (§7.6)."""
    return make("presence", id_=identifier, from_=str(place.occupant), to_=_in_room(place, nick))


def leaving(place: RoomPlace, nick: str, reason: str = "") -> Element:
    """The presence by which an occupant leaves."""
    status = [child("status", reason)] if reason else []
    return make("presence", *status, type_="unavailable", id_=new_id(), from_=str(place.occupant), to_=_in_room(place, nick))


def destruction(place: RoomPlace) -> Element:
    """The iq by which its owner destroys a room (§10.9)."""
    return _to_room(place, make(f"{_OWNER}query", child(f"{_OWNER}destroy")))


def unlocking(place: RoomPlace) -> Element:
    """The iq by which its owner lets others into a new room, as its service configures it (§10.1.2)."""
    return _to_room(place, make(f"{_OWNER}query", child(f"{{{DATA_FORMS}}}x", type="submit")))


def self_ping(place: RoomPlace, nick: str) -> Element:
    """The iq by which an occupant asks whether it is still in (XEP-0410)."""
    return make("iq", child(f"{{{PING}}}ping"), type_="get", id_=new_id(), from_=str(place.occupant), to_=_in_room(place, nick))


def _to_room(place: RoomPlace, query: Element) -> Element:
    return make("iq", query, type_="set", id_=new_id(), from_=str(place.occupant), to_=str(place.room))


def _in_room(place: RoomPlace, nick: str) -> str:
    return str(JID(place.room.local, place.room.domain, nick))  # prepared, or as the room has called it
