"""Rooms of an account elsewhere from one process that has its session to the next, who knows them by values (many-machines §11)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import MakeApp
from tests.link.attached import until
from tests.service.rooms.by_session import ROMEO, SESSION, ScriptedSession
from tests.service.rooms.scripted import ROOM
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.service.rooms.left_memberships import LeftMemberships
from xmpp_rest.service.rooms.session_hearing import SessionHearing
from xmpp_rest.service.rooms.values import RoomState, Wish
from xmpp_rest.threads.waits import Wait

GARDEN = parse_jid(ROOM)
DELAY = "<delay xmlns='urn:xmpp:delay' stamp='2026-11-30T10:00:00Z'/>"


@pytest.fixture
def rooms(make_app: MakeApp) -> Iterator[ScriptedSession]:
    rooms = ScriptedSession(make_app)
    yield rooms.begin()
    rooms.stop()


def left(rooms: ScriptedSession) -> LeftMemberships:
    assert rooms.gateway is not None
    return rooms.gateway.parts.memberships.left


def hearing(rooms: ScriptedSession) -> SessionHearing:
    assert rooms.gateway is not None
    found = rooms.gateway.parts.foreign.heard
    assert isinstance(found, SessionHearing)
    return found


def join(rooms: ScriptedSession) -> None:
    assert rooms.gateway is not None
    rooms.gateway.parts.room_calls.join(ROMEO, GARDEN, Wish(by="request", stay=True, nick="Romeo"), Wait(30))


def hear(rooms: ScriptedSession, identifier: str, more: str = "") -> None:
    text = f"<message from='{ROOM}/other' to='{SESSION}' type='groupchat' id='{identifier}'><body>{identifier}</body>{more}</message>"
    rooms.say(parse_text(text))


def heard(rooms: ScriptedSession) -> list[str | None]:
    page = hearing(rooms).find_here(ROMEO, GARDEN, 100, None, None)
    assert page is not None
    return [item.stanza.findtext("body") for item in page.items]


def moved(rooms: ScriptedSession) -> None:
    """Who goes on knows nothing but what was left."""
    rows: list[Any] = json.loads(json.dumps([left(rooms).rows(ROMEO), hearing(rooms).history.rows(ROMEO)]))
    rooms.comes(SESSION, 0)
    rooms.until_gone()
    rooms.comes(SESSION, 1)
    rooms.came.clear()
    for row in rows[0]:
        left(rooms).restore(SESSION, row)
    for row in rows[1]:
        hearing(rooms).history.restore(ROMEO, row)


def test_the_account_stays_and_hears_what_was_said_meanwhile(rooms: ScriptedSession) -> None:
    join(rooms)
    hear(rooms, "m1")
    before = rooms.view()
    moved(rooms)
    view = rooms.view()
    assert before is not None
    assert view is not None
    assert (view.state, view.nick, view.stay, view.by) == (RoomState.JOINING.value, before.nick, True, "request")
    hear(rooms, "m2", DELAY)  # its server has kept it for the session
    hear(rooms, "m1", DELAY)
    assert heard(rooms) == ["m1", "m2"]
    assert not rooms.came, "the room is not asked before all that has come is handled"
    left(rooms).go_on(ROMEO)
    rooms.until_state("in")
    assert len(rooms.presences()) == 1
    hear(rooms, "m3")
    assert heard(rooms) == ["m1", "m2", "m3"]


def test_who_was_put_out_stays_out(rooms: ScriptedSession) -> None:
    join(rooms)
    rooms.put_out("301")
    before = rooms.until_state("out")
    moved(rooms)
    left(rooms).go_on(ROMEO)
    view = rooms.view()
    assert view is not None
    assert (view.state, view.reason) == ("out", before.reason)
    assert not rooms.came


def test_what_is_known_already_stays_as_it_is(rooms: ScriptedSession) -> None:
    join(rooms)
    rooms.until_state("in")
    for row in left(rooms).rows(ROMEO):
        left(rooms).restore(SESSION, row)
    view = rooms.view()
    assert view is not None
    assert view.state == "in"


def test_a_new_session_at_its_server_comes_in_at_once(rooms: ScriptedSession) -> None:
    join(rooms)
    moved(rooms)
    rooms.comes(SESSION, 2)
    rooms.until_state("in")
    until(lambda: len(rooms.presences()) == 1)
