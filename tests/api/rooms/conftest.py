"""A gateway whose memberships are written down by the tests: what /rest/rooms makes of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from flask import Flask

from tests.conftest import DOMAIN, basic
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.service.rooms.of_actors import Joined
from xmpp_rest.service.rooms.refused import RoomRefusal
from xmpp_rest.service.rooms.values import RoomOccupant, RoomView, Wish
from xmpp_rest.threads.waits import Wait

ROOM = "garden@conference.montague.example"
PATH = f"/rest/rooms/{ROOM}"
JULIET = basic(f"juliet@{DOMAIN}")


def view_of(actor: JID, room: JID, **values: Any) -> RoomView:
    """A membership of an occupant who is in."""
    known: dict[str, Any] = {
        "nick": actor.local or "gateway",
        "state": "in",
        "since": 1_700_000_000.5,
        "stay": True,
        "by": "request",
    } | values
    return RoomView(occupant=f"{actor}/xmpp-rest", room=str(room), **known)


@dataclass
class Written:
    """Memberships as a test has written them. `refusal`: what a room says to who joins."""

    views: dict[tuple[JID, JID], RoomView] = field(default_factory=dict)
    refusal: RoomRefusal | None = None
    wishes: list[Wish] = field(default_factory=list)
    left: list[tuple[JID, JID, str]] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)

    def put(self, actor: str, room: str = ROOM, **values: Any) -> RoomView:
        view = view_of(parse_jid(actor), parse_jid(room), **values)
        self.views[parse_jid(actor), parse_jid(room)] = view
        return view

    def of(self, actor: JID) -> list[RoomView]:
        return [view for (who, _), view in self.views.items() if who == actor]

    def get(self, actor: JID, room: JID) -> RoomView | None:
        return self.views.get((actor, room))

    def join(self, actor: JID, room: JID, wish: Wish, wait: Wait) -> Joined:
        self.waits.append(wait)
        return self._joined(actor, room, wish, "in")

    def join_later(self, actor: JID, room: JID, wish: Wish) -> Joined:
        return self._joined(actor, room, wish, "joining")

    def _joined(self, actor: JID, room: JID, wish: Wish, state: str) -> Joined:
        self.wishes.append(wish)
        if self.refusal is not None:
            return Joined(refusal=self.refusal)
        return Joined(self.put(str(actor), str(room), nick=wish.nick or actor.local, state=state, stay=wish.stay))

    def leave_room(self, actor: JID, room: JID, reason: str) -> bool:
        self.left.append((actor, room, reason))
        return self.views.pop((actor, room), None) is not None


@pytest.fixture
def written(app: Flask) -> Written:
    gateway: Gateway = app.extensions["gateway"]
    memberships = Written()
    gateway.parts = replace(gateway.parts, room_calls=cast(Any, memberships))
    return memberships


def detail(answer: Any) -> str:
    """The detail of a problem document, which has a condition."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    problem = answer.get_json()
    assert problem["status"] == answer.status_code
    assert problem["title"]
    assert problem["condition"]
    return str(problem["detail"])


OCCUPANTS = (
    RoomOccupant("juliet", "participant", "none"),
    RoomOccupant("romeo", "moderator", "owner", "romeo@montague.example/orchard", "ab12"),
)
__all__ = ["JULIET", "OCCUPANTS", "PATH", "ROOM", "Written", "detail", "view_of"]
