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

PUT_OUT = {
    "301": StanzaError("auth", "forbidden", "The hook was banned from the room"),
    "321": StanzaError("auth", "registration-required", "The hook was put out of the room, as it is not a member any more"),
    "322": StanzaError("auth", "registration-required", "The hook was put out of the room, which is now for members only"),
    "307": StanzaError("cancel", "not-allowed", "The hook was kicked out of the room"),
}
"""Status → what that means for who wants to speak. The first that is there counts."""
DESTROYED = StanzaError("cancel", "gone", "The room was destroyed")
GONE = StanzaError("wait", "recipient-unavailable", "The hook has left the room meanwhile")


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


def why_out(presence: Element, codes: frozenset[str]) -> StanzaError | None:
    """Why an occupant was put out for good; None for trouble of the room or of the network, after which it just comes in again."""
    destroyed = presence.find(f"{_USER}/{{{MUC_USER}}}destroy")
    if destroyed is not None:
        return _with_reason(DESTROYED, destroyed.findtext(_REASON))
    if FAILED in codes:
        return None
    error = next((error for code, error in PUT_OUT.items() if code in codes), None)
    return None if error is None else _with_reason(error, presence.findtext(f"{_USER}/{{{MUC_USER}}}item/{_REASON}"))


def _with_reason(error: StanzaError, reason: str | None) -> StanzaError:
    return error._replace(text=f"{error.text}: {reason[:500]}") if reason else error
