"""What rooms elsewhere answer before a file comes, and what is told where they do not (files §2.2, §2.3)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import DOMAIN, MakeApp
from tests.link.network import Network
from tests.service.rooms.scripted import ACTOR, ROOM, SERVICE, Scripted, ScriptedRoom
from xmpp_rest.cli.file_calls import FileCalls, FileToSend
from xmpp_rest.config.load import load_settings
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.files.room_answers import RoomAnswers
from xmpp_rest.service.rooms.refused import RoomRefused
from xmpp_rest.threads.waits import Wait

JOINED, SILENT = parse_jid(ROOM), parse_jid(f"silent@{SERVICE}")


@pytest.fixture
def scripted(make_app: MakeApp) -> Iterator[Scripted]:
    network = Network()
    scripted = Scripted(make_app, network)
    yield scripted
    scripted.stop()
    network.server.close()


def answers(scripted: Scripted) -> RoomAnswers:
    assert scripted.gateway is not None
    rooms = scripted.gateway.parts.file_sending.rooms._rooms
    assert isinstance(rooms, RoomAnswers)
    return rooms


def test_a_room_that_the_sender_is_in_is_not_asked(scripted: Scripted) -> None:
    scripted.start()
    assert scripted.enter() is None
    scripted.rooms[ROOM].rules["info"] = lambda _: "item-not-found"
    assert answers(scripted).are_rooms(ACTOR, [JOINED, SILENT]) == [True, False]


def test_what_does_not_answer_in_time_is_no_room(scripted: Scripted) -> None:
    scripted.start()
    assert scripted.enter() is None
    assert answers(scripted).which_are_rooms(ACTOR, [parse_jid("nobody@elsewhere.example"), JOINED], Wait(0.2)) == [False, True]


def test_a_join_that_is_not_answered_is_refused_when_the_time_is_over(scripted: Scripted) -> None:
    scripted.start(rooms_anywhere_join_timeout="600")
    scripted.rooms[ROOM].rules["join"] = lambda _: ""
    other = parse_jid(f"other@{SERVICE}")
    scripted.rooms[str(other)] = ScriptedRoom(str(other))
    refused, entered = answers(scripted).enter_all(ACTOR, [JOINED, other], "", Wait(1.5))
    assert refused is not None
    assert (refused.status, entered) == (504, None)


def test_where_only_requests_join_a_file_does_not(scripted: Scripted) -> None:
    scripted.start(rooms_anywhere_join="never")
    (refused,) = answers(scripted).enter(ACTOR, [JOINED], "")
    assert isinstance(refused, RoomRefused)
    assert "PUT /rest/rooms/" in str(refused)
    assert scripted.presences() == []
    assert scripted.enter() is None
    assert answers(scripted).enter(ACTOR, [JOINED], "") == [None]


def test_where_nothing_is_joined_all_are_let_in(scripted: Scripted) -> None:
    scripted.start(rooms_anywhere_no_join=SERVICE)
    assert answers(scripted).enter(ACTOR, [JOINED], "") == [None]
    assert scripted.presences() == []


def test_the_command_line_hears_of_a_refusal_before_it_sends(scripted: Scripted) -> None:
    scripted.start()
    scripted.rooms[ROOM].rules["join"] = lambda _: "forbidden"
    assert scripted.gateway is not None
    reply = FileCalls(scripted.gateway).begin_file(FileToSend(ACTOR, [JOINED], "groupchat", "a.png", 3))
    assert (reply["refused"]["code"], reply["refused"]["condition"]) == (403, "forbidden")


def follower(scripted: Scripted, make_app: MakeApp, folder: Path, **settings: str) -> RoomAnswers:
    """What another process on the data of the leader has."""
    shared = {"server_data_dir": str(folder / "shared")} | settings
    scripted.start(**shared)
    gateway: Gateway = make_app(**scripted.network.settings, **shared).extensions["gateway"]
    gateway.start()
    rooms = gateway.parts.file_sending.rooms._rooms
    assert isinstance(rooms, RoomAnswers)
    return rooms


def test_the_leader_asks_for_its_followers(scripted: Scripted, make_app: MakeApp, tmp_path: Path) -> None:
    rooms = follower(scripted, make_app, tmp_path)
    assert rooms.are_rooms(ACTOR, [SILENT, JOINED]) == [False, True]
    assert rooms.enter(ACTOR, [JOINED], "Jules") == [None]
    (join,) = scripted.presences()
    assert join.get("to") == f"{ROOM}/Jules"
    scripted.rooms[ROOM].rules["join"] = lambda _: "forbidden"
    (refused,) = rooms.enter(parse_jid(f"nurse@{DOMAIN}"), [JOINED], "")
    assert isinstance(refused, RoomRefused)
    assert (refused.refusal.status, refused.refusal.error.condition) == (403, "forbidden")


def test_a_follower_hears_what_has_come_when_the_time_is_over(scripted: Scripted, make_app: MakeApp, tmp_path: Path) -> None:
    rooms = follower(scripted, make_app, tmp_path)
    assert rooms.which_are_rooms(ACTOR, [parse_jid("nobody@elsewhere.example"), JOINED], Wait(2.0)) == [False, True]


def test_settings_that_change(scripted: Scripted) -> None:
    scripted.start()
    assert scripted.gateway is not None
    scripted.gateway.parts.file_sending.configure(load_settings(None, {"XMPP_REST_ROOMS_ANYWHERE_JOIN": "never"}))
    (refused,) = answers(scripted).enter(ACTOR, [JOINED], "")
    assert isinstance(refused, RoomRefused)
    assert scripted.presences() == []
