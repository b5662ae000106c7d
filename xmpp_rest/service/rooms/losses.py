"""What it means that an occupant is gone, by what the room says of it (rooms-anywhere §7.2)."""

from __future__ import annotations

from xmpp_rest.protocol.conditions import StanzaError, stanza_error
from xmpp_rest.service.rooms.presences import RoomSaid
from xmpp_rest.service.rooms.refused import RoomRefusal, bounded, join_refused
from xmpp_rest.service.rooms.values import Reason, RoomPlace

PUT_OUT = {
    "301": ("forbidden", "The room has banned this account"),
    "321": ("registration-required", "The room is for members only, and this account is none any more"),
    "322": ("registration-required", "The room has become one for members only"),
    "307": ("not-allowed", "The room has put this account out"),
}
"""Status → condition and sentence of who was put out for good. The first that is there counts."""
DESTROYED = "The room was destroyed"
FAILED = {
    "332": ("service-unavailable", "The room's service was shut down"),
    "333": ("recipient-unavailable", "The room took this account for unreachable"),
}
"""Status → condition and sentence of trouble after which one comes in again, whatever else is there."""
FOR_GOOD = frozenset(("forbidden", "registration-required", "not-authorized", "gone"))
"""Conditions of an answer to a join after which it is not tried again."""
UNTOLD = Reason("recipient-unavailable", "The room says that this account has left, and not why", rejoin=True)


def reason_of_absence(said: RoomSaid) -> Reason:
    """Why an occupant is gone, by the unavailable presence that the room sent of it."""
    status = tuple(sorted(int(code) for code in said.codes if code.isascii() and code.isdecimal()))
    if said.is_destroyed:
        moved = f" (now {said.alternate})" if said.alternate else ""
        return Reason("gone", f"{said.reason or DESTROYED}{moved}", status, said.actor)
    for table, rejoin in ((FAILED, True), (PUT_OUT, False)):
        for code, (condition, sentence) in table.items():
            if code in said.codes:
                return Reason(condition, said.reason or sentence, status, said.actor, rejoin)
    return UNTOLD._replace(status=status, text=said.reason or UNTOLD.text)


def reason_of_error(error: StanzaError, *, rejoin: bool) -> Reason:
    """Why an occupant is not in, by an error."""
    told = bounded(error)
    return Reason(told.condition, told.text, rejoin=rejoin)


def refusal_of(place: RoomPlace, reason: Reason) -> RoomRefusal:
    """What who is out for good gets in answer to a message."""
    return join_refused(stanza_error(reason.condition, reason.text), str(place.room))
