"""Memberships over the ends of processes and accounts (rooms-anywhere §7.1), and as other processes ask for them (§6, §12)."""

from __future__ import annotations

import queue
import threading
import time
from pathlib import Path

import pytest

from drivers import StorageError
from tests.conftest import DOMAIN, MakeApp, register_users
from tests.link.attached import until
from tests.service.hooks.network import ROOM as FAKE_ROOM
from tests.service.hooks.network import Network as FakeNetwork
from tests.service.rooms.scripted import ACTOR, ROOM, SERVICE, Scripted, ScriptedRoom
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.rooms import lifecycle
from xmpp_rest.service.rooms.refused import RoomRefused
from xmpp_rest.service.rooms.store import RoomStore
from xmpp_rest.service.rooms.values import Wish
from xmpp_rest.threads.waits import Wait

OCCUPANT = f"juliet@{DOMAIN}/xmpp-rest"
HALL = f"hall@{SERVICE}"
REQUEST = Wish(by="request", stay=True)


def test_who_stays_is_not_taken_out_at_a_stop_and_comes_in_at_the_next_start(scripted: Scripted, tmp_path: Path) -> None:
    folder = str(tmp_path / "shared")
    scripted.rooms[HALL] = ScriptedRoom(HALL)
    scripted.start(server_data_dir=folder)
    assert [scripted.enter(REQUEST._replace(nick="Julia", is_named=True, password="s3same")), scripted.enter(Wish(), HALL)] == [None, None]
    scripted.stop_gateway()
    assert [(p.get("from"), p.get("to")) for p in scripted.presences("unavailable")] == [(OCCUPANT, f"{HALL}/juliet")]
    assert scripted.rooms[ROOM].occupants[OCCUPANT] == "Julia"
    before = len(scripted.presences())
    scripted.again(server_data_dir=folder)
    view = scripted.until_state("in")
    assert (view.nick, view.by, view.stay) == ("Julia", "request", True)
    (presence,) = scripted.presences()[before:]
    assert "s3same" in {element.text for element in presence.iter()}
    assert scripted.view(HALL) is None
    assert [kept.place.room for kept in scripted.store.all()] == [parse_jid(ROOM)]
    assert scripted.memberships.leave(scripted.place(), "Bye")
    until(lambda: scripted.presences("unavailable")[-1].findtext("status") == "Bye")
    until(lambda: not list(scripted.store.all()))


def test_the_rooms_of_a_callback_are_come_into_and_left_with_the_configuration(scripted: Scripted, tmp_path: Path) -> None:
    folder = str(tmp_path / "shared")
    scripted.rooms[HALL] = ScriptedRoom(HALL)
    bot = {"callback_bot_url": "http://127.0.0.1:9/", "callback_bot_address": f"bot@{DOMAIN}", "server_data_dir": folder}
    scripted.start(**bot, callback_bot_rooms=f"{ROOM}/The Bot, {HALL}")
    actor = parse_jid(f"bot@{DOMAIN}")
    until(lambda: [v.state for v in scripted.memberships.of(actor)] == ["in", "in"])
    assert [(v.room, v.nick, v.by, v.stay) for v in scripted.memberships.of(actor)] == [
        (ROOM, "The Bot", "callback:bot", True),
        (HALL, "bot", "callback:bot", True),
    ]
    scripted.stop_gateway()
    assert scripted.presences("unavailable") == []
    scripted.again(**bot, callback_bot_rooms=HALL)
    until(lambda: [(v.room, v.state) for v in scripted.memberships.of(actor)] == [(HALL, "in")])
    until(lambda: [p.get("to") for p in scripted.presences("unavailable")] == [f"{ROOM}/The Bot"])


def test_a_process_that_takes_over_goes_on_with_all_of_them(make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "PATIENCE", 0.1)
    apps = [make_app(server_data_dir=str(tmp_path / "shared")) for _ in range(2)]
    register_users(apps[0])
    leader, follower = (app.extensions["gateway"] for app in apps)
    network = FakeNetwork(leader.parts.router)
    leader.start()
    follower.start()
    room = parse_jid(FAKE_ROOM)
    joined = follower.parts.room_calls.join(ACTOR, room, Wish(), Wait(30))
    assert joined.view is not None
    assert (joined.view.state, joined.view.occupants_total) == ("in", 1)
    assert [view.room for view in follower.parts.room_calls.of(ACTOR)] == [FAKE_ROOM]
    assert follower.parts.room_calls.get(ACTOR, room) == joined.view
    assert follower.parts.room_calls.figures() == {"in": 1, "joining": 0, "out": 0, "held": 0}
    missing = follower.parts.room_calls.join(ACTOR, parse_jid("none@rooms.montague.example"), Wish(), Wait(30))
    assert missing.refusal is not None
    romeo = parse_jid(f"romeo@{DOMAIN}")
    assert follower.parts.room_calls.join(romeo, room, REQUEST, Wait(30)).view is not None
    network.say(network.rooms[FAKE_ROOM].presence(f"{romeo}/xmpp-rest", "unavailable", "307", reason="Too loud", nick="Nurse"))
    until(lambda: follower.parts.room_calls.figures()["out"] == 1)
    until(lambda: any(kept.out for kept in RoomStore(leader.driver, DOMAIN, leader.incidents).all()))
    other = FakeNetwork(follower.parts.router)
    other.rooms = network.rooms
    leader.stop()
    assert [p.get("to") for p in network.presences("unavailable")] == ["none@rooms.montague.example/juliet"]
    until(lambda: follower.parts.memberships.counts()["in"] == 1)
    assert len(other.presences()) == 1
    view = follower.parts.room_calls.get(romeo, room)  # who was put out does not come in again because a process has ended
    assert view is not None
    assert (view.state, view.reason and (view.reason.condition, view.reason.text, view.reason.actor)) == ("out", ("not-allowed", "Too loud", "Nurse"))
    follower.stop()
    assert [p.get("to") for p in other.presences("unavailable")] == [f"{FAKE_ROOM}/juliet"]


def test_processes_that_stop_together_leave_rooms(make_app: MakeApp, tmp_path: Path) -> None:
    apps = [make_app(server_data_dir=str(tmp_path / "shared")) for _ in range(2)]
    leader, follower = (app.extensions["gateway"] for app in apps)
    network = FakeNetwork(leader.parts.router)
    leader.start()
    follower.start()
    assert leader.parts.room_calls.join(ACTOR, parse_jid(FAKE_ROOM), Wish(), Wait(30)).view is not None
    follower.parts.leader.leave_rooms()
    began = time.monotonic()
    leader.stop()
    assert [p.get("to") for p in network.presences("unavailable")] == [f"{FAKE_ROOM}/juliet"], time.monotonic() - began


def test_a_process_that_is_told_to_stop_after_the_leader_is_waited_for(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can still say so: the leader has others call no more only after that."""
    apps = [make_app(server_data_dir=str(tmp_path / "shared")) for _ in range(2)]
    leader, follower = (app.extensions["gateway"] for app in apps)
    network = FakeNetwork(leader.parts.router)
    leader.start()
    follower.start()
    assert leader.parts.room_calls.join(ACTOR, parse_jid(FAKE_ROOM), Wish(), Wait(30)).view is not None
    monkeypatch.setattr(lifecycle, "PATIENCE", 30)
    waits, has_passing = threading.Event(), lifecycle.RoomsLifecycle._has_passing

    def look(rooms: lifecycle.RoomsLifecycle) -> bool:
        waits.set()
        return has_passing(rooms)

    monkeypatch.setattr(lifecycle.RoomsLifecycle, "_has_passing", look)
    stopping = threading.Thread(target=leader.stop)
    stopping.start()
    assert waits.wait(30)
    follower.parts.leader.stops_soon()
    stopping.join(20)
    assert not stopping.is_alive()
    assert [p.get("to") for p in network.presences("unavailable")] == [f"{FAKE_ROOM}/juliet"]


def test_who_leads_for_a_moment_while_it_stops_lets_its_stream_take_the_leave(
    scripted: Scripted, make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(tmp_path / "shared")
    scripted.start(server_data_dir=folder)
    assert scripted.enter(Wish()) is None
    monkeypatch.setattr(lifecycle.RoomsLifecycle, "end", lifecycle.RoomsLifecycle.stop)  # as where another process seems to follow
    scripted.stop_gateway()
    assert scripted.presences("unavailable") == []
    monkeypatch.undo()
    next_one: Gateway = make_app(server_data_dir=folder, **scripted.network.settings).extensions["gateway"]
    kept = RoomStore(next_one.driver, DOMAIN, next_one.incidents)
    assert [membership.place.room for membership in kept.all()] == [parse_jid(ROOM)]
    next_one.parts.leader.stops_soon()
    with scripted.network.held():
        next_one.start()
        assert list(kept.all()) == []
        stopping = threading.Thread(target=next_one.stop)
        stopping.start()
        until(lambda: next_one.parts.leader._has_ended)
    stopping.join(30)
    assert not stopping.is_alive()
    until(lambda: [(p.get("from"), p.get("to")) for p in scripted.presences("unavailable")] == [(OCCUPANT, f"{ROOM}/juliet")])


def test_who_takes_over_while_it_stops_leaves_what_it_finds(make_app: MakeApp, tmp_path: Path) -> None:
    apps = [make_app(server_data_dir=str(tmp_path / "shared")) for _ in range(2)]
    leader, follower = (app.extensions["gateway"] for app in apps)
    network = FakeNetwork(leader.parts.router)
    leader.start()
    follower.start()
    assert leader.parts.room_calls.join(ACTOR, parse_jid(FAKE_ROOM), Wish(), Wait(30)).view is not None
    other = FakeNetwork(follower.parts.router)
    other.rooms = network.rooms
    leader.parts.remote.group.stop()  # as one that has not been told in time
    follower.parts.leader.stops_soon()
    until(lambda: follower.parts.remote.group.is_leader)
    until(lambda: [p.get("to") for p in other.presences("unavailable")] == [f"{FAKE_ROOM}/juliet"])
    assert other.presences() == []


def test_the_rooms_of_a_removed_account_are_left(gateway: Gateway) -> None:
    network = FakeNetwork(gateway.parts.router)
    gateway.start()
    calls, room = gateway.parts.room_calls, parse_jid(FAKE_ROOM)
    for actor in (ACTOR, parse_jid(f"romeo@{DOMAIN}")):
        assert calls.join(actor, room, REQUEST, Wait(30)).view is not None
    gateway.parts.accounts.unregister(ACTOR)
    until(lambda: [p.get("from") for p in network.presences("unavailable")] == [OCCUPANT])
    assert (calls.of(ACTOR), len(calls.of(parse_jid(f"romeo@{DOMAIN}")))) == ([], 1)


def test_without_waiting_the_wish_is_kept_whatever_comes_of_it(gateway: Gateway) -> None:
    network = FakeNetwork(gateway.parts.router)
    gateway.start()
    calls = gateway.parts.room_calls
    network.rooms[FAKE_ROOM].refuses = lambda stanza: "registration-required" if stanza.tag == "presence" else None
    joined = calls.join_later(ACTOR, parse_jid(FAKE_ROOM), REQUEST)
    assert joined.view is not None
    assert joined.view.state in ("joining", "out")
    until(lambda: (view := calls.get(ACTOR, parse_jid(FAKE_ROOM))) is not None and view.state == "out")
    view = calls.get(ACTOR, parse_jid(FAKE_ROOM))
    assert view is not None
    assert view.reason is not None
    assert (view.reason.condition, view.reason.rejoin) == ("registration-required", False)
    network.rooms[FAKE_ROOM].refuses = lambda _: None
    assert calls.join(ACTOR, parse_jid(FAKE_ROOM), REQUEST, Wait(30)).view is not None


def test_the_wish_is_kept_also_where_an_attempt_is_under_way_that_fails(scripted: Scripted) -> None:
    scripted.start(rooms_anywhere_join_timeout="1")
    assert scripted.gateway is not None
    scripted.rooms[ROOM].rules["join"] = lambda _: ""
    told: queue.SimpleQueue[RoomRefused | None] = queue.SimpleQueue()
    scripted.memberships.enter(scripted.place(), Wish(), told.put)
    joined = scripted.gateway.parts.room_calls.join_later(ACTOR, parse_jid(ROOM), REQUEST)
    assert joined.view is not None
    assert (joined.view.state, joined.view.stay, joined.view.by) == ("joining", True, "request")
    assert [kept.wish.stay for kept in scripted.store.all()] == [True]
    refused = told.get(timeout=30)
    assert refused is not None
    assert refused.status == 504
    scripted.rooms[ROOM].rules.clear()
    assert scripted.until_state("in").stay


def test_hosted_rooms_are_rooms_like_others(make_app: MakeApp) -> None:
    gateway: Gateway = register_users(make_app()).extensions["gateway"]
    gateway.start()
    calls, room = gateway.parts.room_calls, parse_jid(f"hall@conference.{DOMAIN}")
    missing = calls.join(ACTOR, room, REQUEST, Wait(30)).refusal
    assert missing is not None
    assert missing.status == 404
    view = calls.join(ACTOR, room, REQUEST._replace(create=True), Wait(30)).view
    assert view is not None
    assert (view.state, view.nick, view.affiliation) == ("in", "juliet", "owner")
    told: queue.SimpleQueue[RoomRefused | None] = queue.SimpleQueue()
    place = gateway.parts.memberships.place(ACTOR, room)
    gateway.parts.memberships.check(place, told.put)
    assert told.get(timeout=30) is None
    gateway.parts.memberships.confirmed(place, told.put)
    assert told.get(timeout=30) is None
    assert calls.leave_room(ACTOR, room, "Bye")
    conference = gateway.parts.conference
    assert conference is not None
    until(lambda: "hall" not in conference.names())  # it was not a persistent one


def test_what_the_storage_does_not_take_is_not_promised(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    FakeNetwork(gateway.parts.router)
    gateway.start()
    calls, room = gateway.parts.room_calls, parse_jid(FAKE_ROOM)

    def fail(*_: object) -> None:
        raise StorageError("full")

    monkeypatch.setattr(gateway.driver, "update_members", fail)
    for joined in (calls.join(ACTOR, room, REQUEST, Wait(30)), calls.join_later(parse_jid(f"romeo@{DOMAIN}"), room, REQUEST)):
        assert joined.refusal is not None
        assert (joined.refusal.status, joined.refusal.retry_after) == (503, 5)
    view = calls.get(ACTOR, room)
    assert view is not None
    assert (view.state, view.stay) == ("in", False)
    assert calls.of(parse_jid(f"romeo@{DOMAIN}")) == []
    monkeypatch.undo()
    assert calls.join(ACTOR, room, REQUEST, Wait(30)).view is not None
