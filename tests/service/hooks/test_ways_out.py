"""How a hook was put out of a room is told with what is refused after it, until it is in again (service/hooks/ways_out.py)."""

from __future__ import annotations

from typing import Any

import pytest

from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.hooks import ways_out
from xmpp_rest.service.hooks.ways_out import WaysOut
from xmpp_rest.service.rooms.refused import join_refused, message_refused
from xmpp_rest.service.rooms.values import Reason, RoomPlace, RoomView

ROOM = "garden@conference.montague.example"
PLACE = RoomPlace(parse_jid("romeo@capulet.example/hook-ops"), parse_jid(ROOM))
BANNED = Reason("forbidden", "Too loud", (110, 301), "Juliet")


def view(state: str, reason: Reason | None = None, occupant: Any = PLACE.occupant) -> RoomView:
    return RoomView(str(occupant), ROOM, "Ops", state, 1.0, reason)


def test_it_is_told_whatever_noticed_it_first() -> None:
    ways = WaysOut()
    refusal = message_refused(StanzaError("auth", "forbidden", "No voice"), ROOM)
    assert ways.told(PLACE, refusal).text == "No voice"
    ways.changed(view("out", BANNED))
    ways.changed(view("out", Reason("forbidden", "The room has banned this account")))  # of the attempt to come in again
    told = ways.told(PLACE, join_refused(StanzaError("auth", "forbidden"), ROOM))
    assert (told.condition, told.text) == ("forbidden", "The hook was put out of the room: banned by Juliet: Too loud")
    ways.changed(view("joining"))
    assert "banned by Juliet" in ways.told(PLACE, refusal).text
    ways.changed(view("in"))
    assert ways.told(PLACE, refusal) == refusal.error


def test_other_occupants_are_none_of_its_business() -> None:
    ways = WaysOut()
    other = RoomPlace(parse_jid("romeo@capulet.example/xmpp-rest"), PLACE.room)
    ways.changed(view("out", BANNED, other.occupant))
    refusal = join_refused(StanzaError("auth", "forbidden"), ROOM)
    assert ways.told(other, refusal) == refusal.error


def test_the_oldest_is_forgotten_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways_out, "MOST", 1)
    ways = WaysOut()
    other = RoomPlace(parse_jid("romeo@capulet.example/hook-more"), PLACE.room)
    refusal = join_refused(StanzaError("auth", "forbidden"), ROOM)
    ways.changed(view("out", BANNED))
    ways.changed(view("out", BANNED, other.occupant))
    assert ways.told(PLACE, refusal) == refusal.error
    assert "banned by Juliet" in ways.told(other, refusal).text
