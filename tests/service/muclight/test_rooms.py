"""Storage of MUC Light rooms and of each occupant's rooms, in every driver and under concurrent writes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from drivers import Driver, Place
from tests.conftest import OpenDriver
from tests.many import in_threads
from tests.raising import raising
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.service.muclight import rooms as muclight_rooms
from xmpp_rest.service.muclight.blocking import Blocked, Blocking
from xmpp_rest.service.muclight.room import MEMBER, NONE, OWNER, MucLightRoom, new_room
from xmpp_rest.service.muclight.rooms import MucLightRooms

DOMAIN = "muclight.capulet.example"
JULIET, NURSE = parse_jid("juliet@capulet.example"), parse_jid("nurse@capulet.example")
AWKWARD = [parse_jid(text) for text in ("__hash", "__array", "montague.example", "garden")]


@pytest.fixture(params=["sqlite:r.sqlite", "jsonfile:r", "flatfile:r"])
def driver(request: pytest.FixtureRequest, tmp_path: Path, open_driver: OpenDriver) -> Driver:
    return open_driver(request.param, tmp_path)


def garden(*members: JID, name: str = "garden") -> MucLightRoom:
    return new_room(JID(name, DOMAIN, ""), {"roomname": "", "subject": "s"}, {JULIET: OWNER} | dict.fromkeys(members, MEMBER))


def test_a_room_comes_back_as_it_was(driver: Driver) -> None:
    rooms = MucLightRooms(driver, DOMAIN)
    room = garden(NURSE, *AWKWARD)
    rooms.make(room)
    assert rooms.load("garden") == room
    assert MucLightRooms(driver, "other.example").load("garden") is None


@pytest.mark.parametrize("name", ["__hash", "__array", "pending", "a.b_c-d", "jürgen", "montague.example"])
def test_awkward_names(driver: Driver, name: str) -> None:
    rooms = MucLightRooms(driver, DOMAIN)
    rooms.make(garden(*AWKWARD, name=name))
    rooms.add_pending([JULIET, *AWKWARD], name)
    for user in (JULIET, *AWKWARD):
        assert [room.jid.local for room in rooms.occupied(user)] == [name]
    rooms.change(name, lambda _: None)
    rooms.sync_occupants([JULIET, *AWKWARD], name)
    assert rooms.load(name) is None
    assert not list(driver.users(DOMAIN))


def test_a_name_is_taken_once(driver: Driver) -> None:
    rooms = MucLightRooms(driver, DOMAIN)
    first = garden()
    rooms.make(first)
    with pytest.raises(GatewayError, match="room-exists"):
        rooms.make(garden(NURSE))
    assert rooms.load("garden") == first


def test_changing(driver: Driver) -> None:
    rooms = MucLightRooms(driver, DOMAIN)
    with pytest.raises(GatewayError, match="room-unknown"):
        rooms.change("garden", lambda room: room)
    room = garden(NURSE)
    rooms.make(room)
    with pytest.raises(GatewayError, match="not-owner"):
        rooms.change("garden", raising(GatewayError("not-owner")))
    assert rooms.load("garden") == room
    rooms.change("garden", lambda room: replace(room, version="2"))
    assert rooms.load("garden") == replace(room, version="2")


def test_a_list_that_names_a_room_too_many_shows_it_not(driver: Driver) -> None:
    rooms = MucLightRooms(driver, DOMAIN)
    rooms.make(garden())
    rooms.add_pending([JULIET, NURSE], "garden")
    rooms.add_pending([JULIET], "destroyed")
    assert [room.jid.local for room in rooms.occupied(JULIET)] == ["garden"]
    assert rooms.occupied(NURSE) == []


def test_a_user_is_in_so_many_rooms_at_most(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(muclight_rooms, "MAX_ROOMS", 2)
    rooms = MucLightRooms(driver, DOMAIN)
    for name in ("a", "b", "a"):
        rooms.add_pending([JULIET], name)
    with pytest.raises(GatewayError, match="room-full"):
        rooms.add_pending([JULIET], "c")
    assert driver.load(str(JULIET), DOMAIN, "muclight_rooms") == ["a", "b"]


def test_lists_agree_with_the_rooms_whoever_comes_and_goes_at_once(driver: Driver) -> None:
    rooms = MucLightRooms(driver, DOMAIN)
    rooms.make(garden())

    def come_and_go(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(15):
            affiliation = chance.choice((MEMBER, NONE))
            if affiliation == MEMBER:
                rooms.add_pending([NURSE], "garden")
            people = {JULIET: OWNER} | ({NURSE: MEMBER} if affiliation == MEMBER else {})
            rooms.change("garden", lambda room, people=people: replace(room, affiliations=people))  # type: ignore[misc]
            rooms.sync_occupants([NURSE], "garden")

    in_threads(come_and_go, range(4))
    room = rooms.load("garden")
    assert room
    assert (driver.load(str(NURSE), DOMAIN, "muclight_rooms") == ["garden"]) == (NURSE in room.affiliations)


def test_history_of_a_name_is_forgotten_up_to_a_time(driver: Driver) -> None:
    rooms = MucLightRooms(driver, DOMAIN)
    for when in (1.0, 2.0, 3.0):
        driver.archive_append("garden", DOMAIN, "archive", "<message/>", when=when, key=str(when))
    rooms.forget_history("garden", 2.0)
    rooms.forget_item("garden", "no such item")
    assert [item.id for item in driver.archive_find("garden", DOMAIN, "archive")] == ["3.0"]
    rooms.forget_item("garden", "3.0")
    assert not list(driver.archive_find("garden", DOMAIN, "archive"))


def test_blocking(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    blocking = Blocking(driver, DOMAIN, lambda _user, _other: False)
    room, other = JID("garden", DOMAIN, ""), JID("orchard", DOMAIN, "")
    assert blocking.items(NURSE) == []
    blocking.change(NURSE, {Blocked("room", room): True, Blocked("user", AWKWARD[0]): True, Blocked("user", JULIET): False})
    assert blocking.items(NURSE) == [("room", str(room)), ("user", "__hash")]
    assert blocking.willing([NURSE, JULIET], room, JULIET) == {JULIET}
    assert blocking.willing([NURSE], other, JULIET) == {NURSE}
    assert blocking.willing([NURSE], other, AWKWARD[0]) == set()
    assert blocking.willing([NURSE], room, NURSE) == {NURSE}, "one's own room is not blocked"
    blocking.change(NURSE, {Blocked("room", room): False})
    assert blocking.items(NURSE) == [("user", "__hash")]
    monkeypatch.setattr("xmpp_rest.service.muclight.blocking.MAX_ITEMS", 1)
    with pytest.raises(GatewayError, match="bad-room-change"):
        blocking.change(NURSE, {Blocked("room", other): True})
    blocking.change(NURSE, {Blocked("user", AWKWARD[0]): False})
    assert driver.load(str(NURSE), DOMAIN, "muclight_blocking") is None


def test_the_list_of_a_user_is_one_read(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = MucLightRooms(driver, DOMAIN)
    for n in range(700):
        driver.store(f"r{n}", DOMAIN, "muclight", {"config": {"roomname": f"{n}"}, "occupants": [{"jid": str(NURSE), "affiliation": OWNER}], "version": "v", "birth": "b"})
    driver.store(str(NURSE), DOMAIN, "muclight_rooms", [f"r{n}" for n in range(700)] + ["gone", "garden"])
    rooms.make(garden())
    reads: list[int] = []
    load, bulk_read = driver.load, driver.bulk_read

    def loading(user: str | None, host: str, store: str) -> object:
        reads.append(1)
        return load(user, host, store)

    def reading(places: Sequence[Place]) -> object:
        with monkeypatch.context() as inner:
            inner.setattr(driver, "load", load)
            reads.append(len(places))
            return bulk_read(places)

    monkeypatch.setattr(driver, "load", loading)
    monkeypatch.setattr(driver, "bulk_read", reading)
    summaries = rooms.summaries(NURSE)
    assert [room.config["roomname"] for room in summaries] == [f"{n}" for n in range(700)]
    assert reads == [1, 702]
    assert [room.jid for room in rooms.occupied(NURSE)] == [room.jid for room in summaries]
