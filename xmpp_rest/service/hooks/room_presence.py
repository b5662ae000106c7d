"""The presences by which occupants come into rooms and leave them, and what those of rooms say (XEP-0045 §7, §9, §15.6.2)."""

from __future__ import annotations

from typing import NamedTuple
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import MUC, MUC_USER
from xmpp_rest.protocol.stanza import child, make, new_id

CREATED, RENAMED, FAILED = "201", "303", "333"
_SELF = "110"
_USER = f"{{{MUC_USER}}}x"
_OWNER = f"{{{MUC}#owner}}"
_REASON = f"{{{MUC_USER}}}reason"
_ACTOR = f"{{{MUC_USER}}}actor"
WHO, WHY = 100, 500  # characters that are told of who put somebody out, and of the reason

PUT_OUT = {
    "301": "banned",
    "321": "membership ended",
    "322": "made for members only",
    "307": "kicked",
}
"""Status → what that means for the occupant. The first that is there counts."""
DESTROYED = StanzaError("cancel", "gone", "The room was destroyed")
GONE = StanzaError("wait", "recipient-unavailable", "The hook has left the room meanwhile")


class WayOut(NamedTuple):
    """How an occupant was put out for good: a sentence for people, and whether the room itself was destroyed."""

    text: str
    is_destroyed: bool = False

    def joined_to(self, error: StanzaError) -> StanzaError:
        """The error by which the occupant is not let in after that: its text tells both. A room that was destroyed is gone."""
        if self.is_destroyed and error.condition == "item-not-found":
            return DESTROYED._replace(text=self.text)
        return error._replace(text=f"{error.text.rstrip('. ')}. {self.text}" if error.text else self.text)


class RoomStatus(NamedTuple):
    """What a room says of an occupant: the status codes, and the nick that it has from now on, or ""."""

    codes: frozenset[str]
    nick: str

    @property
    def is_own(self) -> bool:
        """Whether the occupant is who is told of it."""
        return _SELF in self.codes


def entering(actor: JID, room: JID, nick: str) -> Element:
    """The presence by which it comes in, without messages of the past. Raises InvalidJID for what cannot be a nick."""
    x = make(f"{{{MUC}}}x", child(f"{{{MUC}}}history", maxstanzas="0"))
    return make("presence", x, id_=new_id(), from_=str(actor), to_=str(room.at(nick)))


def leaving(actor: JID, room: JID, nick: str) -> Element:
    """The presence by which it leaves."""
    return make("presence", type_="unavailable", id_=new_id(), from_=str(actor), to_=str(room._replace(resource=nick)))


def destruction(actor: JID, room: JID) -> Element:
    """The iq by which its owner destroys a room (§10.9)."""
    query = make(f"{_OWNER}query", child(f"{_OWNER}destroy"))
    return make("iq", query, type_="set", id_=new_id(), from_=str(actor), to_=str(room))


def said_by(presence: Element, sender: JID) -> RoomStatus:
    """What this presence says of the occupant that it is from."""
    codes = frozenset(status.get("code", "") for status in presence.iterfind(f"{_USER}/{{{MUC_USER}}}status"))
    item = presence.find(f"{_USER}/{{{MUC_USER}}}item")
    return RoomStatus(codes, item.get("nick", "") if item is not None else "")


def way_out(presence: Element, codes: frozenset[str]) -> WayOut | None:
    """How an occupant was put out for good; None for trouble of the room or of the network."""
    destroyed = presence.find(f"{_USER}/{{{MUC_USER}}}destroy")
    if destroyed is not None:
        return WayOut(_told(DESTROYED.text, None, destroyed.findtext(_REASON)), is_destroyed=True)
    what = None if FAILED in codes else next((text for code, text in PUT_OUT.items() if code in codes), None)
    if what is None:
        return None
    item = presence.find(f"{_USER}/{{{MUC_USER}}}item")
    by = item.find(_ACTOR) if item is not None else None
    return WayOut(_told(f"The hook was put out of the room: {what}", by, item.findtext(_REASON) if item is not None else None))


def _told(what: str, by: Element | None, reason: str | None) -> str:
    who = "" if by is None else (by.get("nick") or by.get("jid") or "")[:WHO]
    return f"{what}{f' by {who}' if who else ''}{f': {reason[:WHY]}' if reason else ''}"
