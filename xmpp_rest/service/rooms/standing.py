"""How an occupant stands with a room, as far as it matters to what it says there (rooms-anywhere §3)."""

from __future__ import annotations

import time
from enum import Enum

from xmpp_rest.protocol.conditions import DEFAULT_TYPE, StanzaError
from xmpp_rest.service.rooms.refused import RoomRefusal, message_refused
from xmpp_rest.service.rooms.said import REFUSED, SpokenResult
from xmpp_rest.service.rooms.values import RoomState, RoomView

TRY_AGAIN = 60.0  # seconds after which who was put out of a room tries once more
LEFT = "The account has left the room"
PUT_OUT = frozenset((301, 307, 321, 322))
"""Codes by which a room puts somebody out for good (XEP-0045 §15.6.2)."""


class Standing(Enum):
    """What is to be done with a message."""

    IN = "in"
    """It is kept: the occupant is in, or comes in again."""
    TO_ENTER = "to enter"
    """The occupant comes in before it is accepted."""


def closed(view: RoomView | None) -> SpokenResult | None:
    """Why the room, which has put this occupant out a moment ago, takes nothing of it; None: it may be tried."""
    if view is None or view.state != RoomState.OUT.value or view.reason is None or view.reason.rejoin:
        return None
    reason = view.reason
    if not (PUT_OUT & set(reason.status) or reason.condition == "gone") or time.time() - view.since >= TRY_AGAIN:
        return None
    return SpokenResult(REFUSED, why=why_out(view))


def is_put_out(view: RoomView) -> bool:
    """Whether the room has put this occupant out for good, by kick, ban or end of its membership."""
    reason = view.reason
    return view.state == RoomState.OUT.value and reason is not None and not reason.rejoin and bool(PUT_OUT & set(reason.status))


def why_out(view: RoomView) -> RoomRefusal:
    """Why the room takes nothing of an occupant that is out."""
    reason = view.reason
    condition, text = (reason.condition, reason.text) if reason is not None else ("", "")
    if condition in ("", "recipient-unavailable"):
        condition, text = "not-acceptable", LEFT
    return message_refused(StanzaError(DEFAULT_TYPE.get(condition, "cancel"), condition, text), view.room)


def is_joined_again(view: RoomView) -> bool:
    """Whether the occupant was in before, and is coming in again by itself."""
    return view.state == RoomState.JOINING.value and view.reason is not None
