"""The index of rooms by user: right after crashes, made by itself, and as quick for many rooms as for few (decision 0042)."""

from __future__ import annotations

from typing import Any

import pytest

from drivers import Content, Driver, StorageError, derived
from tests.conftest import MakeApp
from tests.raising import raising
from tests.service.muc.hall import JULIET, ROMEO, SERVICE, Hall
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.service.muc import room_index
from xmpp_rest.service.muc.room_index import STORE, MemoryIndex

NURSE, LONG = "nurse@verona.example", f"{'n' * 300}@verona.example"
PERSISTENT = {"persistent": "true", "allow_subscription": "true"}


def table(*subscribers: str) -> dict[str, Any]:
    people = [{"jid": user, "nick": "n", "nodes": []} for user in subscribers]
    return {"options": {"persistent": "true"}, "affiliations": [], "subscribers": people, "created": 1.0, "used": 1.0, "subject_at": 0.0}


def fill(driver: Driver, number: int, *subscribers: str) -> None:
    """Rooms as another version, or an import, has stored them."""
    some = [Content(f"r{n:06}", SERVICE, "muc", "keyval", table(*subscribers), new=True) for n in range(number)]
    assert not any(driver.bulk_write(some))
    derived.outdate(driver)


def entries(hall: Hall, user: str = NURSE) -> list[Any]:
    return hall.gateway.driver.list_load(user, SERVICE, STORE) or []


@pytest.mark.parametrize("driver", ["sqlite:gateway.sqlite", "flatfile:storage", "jsonfile:storage"])
def test_an_older_storage_gets_it(make_app: MakeApp, driver: str) -> None:
    app = make_app(storage_url=driver)
    fill(app.extensions["gateway"].driver, 3, NURSE, LONG)
    hall = Hall(app)
    for user in (NURSE, LONG):
        assert [row[0] for row in hall.rooms.subscriptions(user)] == ["r000000", "r000001", "r000002"]
    assert hall.rooms.subscriptions(ROMEO) == []
    fill(hall.gateway.driver, 4, NURSE)
    hall.gateway.stop()
    again = Hall(make_app(storage_url=driver, server_data_dir=str(hall.gateway.data_dir)))
    assert len(again.rooms.subscriptions(NURSE)) == 4


def test_every_way_to_be_named(hall: Hall) -> None:
    hall.rooms.create("garden", PERSISTENT, [["romeo@montague.example", "owner"]], [[NURSE, "n", []]])
    hall.rooms.create("street", PERSISTENT, [], [])
    hall.rooms.subscribe("street", NURSE, "n", [])
    assert [row[0] for row in hall.rooms.subscriptions(NURSE)] == ["garden", "street"] == entries(hall)
    hall.rooms.unsubscribe("garden", NURSE)
    hall.rooms.affiliate("garden", NURSE, "outcast", "")
    assert [row[0] for row in hall.rooms.subscriptions(NURSE)] == ["street"]
    hall.rooms.account_removed(parse_jid(NURSE))
    assert (hall.rooms.affiliation("garden", NURSE), hall.rooms.subscribers("street"), entries(hall)) == ("none", [], [])
    hall.rooms.destroy("garden", "", False)
    hall.rooms.destroy("street", "", False)
    assert list(hall.gateway.driver.users(SERVICE)) == []


@pytest.mark.parametrize("driver", ["sqlite:gateway.sqlite", "flatfile:storage"])
def test_a_room_with_many_users(make_app: MakeApp, driver: str) -> None:
    hall = Hall(make_app(storage_url=driver))
    users: list[list[Any]] = [[f"guest{n}@verona.example", f"n{n}", []] for n in range(30)]
    for name in ("garden", "street"):
        hall.rooms.create(name, PERSISTENT, [], users)
    assert all([row[0] for row in hall.rooms.subscriptions(user)] == ["garden", "street"] for user, *_ in users)
    hall.rooms.destroy("garden", "", True)
    assert all(entries(hall, str(user)) == ["street"] for user, *_ in users)
    hall.rooms.destroy("street", "", True)
    assert list(hall.gateway.driver.users(SERVICE)) == []


def test_a_room_that_is_kept_or_not(hall: Hall) -> None:
    hall.enter(ROMEO)
    hall.rooms.set_option("balcony", "allow_subscription", "true")
    hall.rooms.subscribe("balcony", NURSE, "n", [])
    assert [row[0] for row in hall.rooms.subscriptions(NURSE)] == ["balcony"]
    assert entries(hall) == []
    for persistent, kept in (("true", ["balcony"]), ("false", [])):
        hall.rooms.set_option("balcony", "persistent", persistent)
        assert entries(hall) == kept
        assert [row[0] for row in hall.rooms.subscriptions(NURSE)] == ["balcony"]
    hall.rooms.account_removed(parse_jid(NURSE))
    assert hall.rooms.subscribers("balcony") == []


def test_a_crash_leaves_an_entry_too_many_which_a_reader_removes(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    hall.rooms.create("garden", PERSISTENT, [], [])
    with monkeypatch.context() as failing:
        failing.setattr(hall.gateway.driver, "store", raising(StorageError("full")))
        with pytest.raises(StorageError):
            hall.rooms.subscribe("garden", NURSE, "n", [])
    hall.gateway.driver.list_append(NURSE, SERVICE, STORE, "nowhere")
    assert entries(hall) == ["garden", "nowhere"]
    assert hall.rooms.subscriptions(NURSE) == []
    assert entries(hall) == []


def test_an_entry_that_cannot_be_removed_is_no_failure(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    hall.rooms.create("garden", PERSISTENT, [], [[NURSE, "n", []]])
    with monkeypatch.context() as failing:
        failing.setattr(hall.gateway.driver, "bulk_write", raising(StorageError("full")))
        hall.rooms.unsubscribe("garden", NURSE)
    assert entries(hall) == ["garden"]
    assert hall.rooms.subscriptions(NURSE) == []


def test_who_is_removed_and_comes_back_meanwhile_is_still_found(hall: Hall) -> None:
    hall.rooms.create("garden", PERSISTENT, [], [[NURSE, "n", []]])
    rooms = hall.rooms._rooms
    for room in rooms.to_leave(parse_jid(NURSE)):
        room.subscribers.clear()
        rooms.save(room)
        hall.rooms.subscribe("garden", NURSE, "n", [])
    assert entries(hall) == ["garden"]
    assert [row[0] for row in hall.rooms.subscriptions(NURSE)] == ["garden"]


def test_what_is_asked_of_one_user_does_not_read_the_rooms_of_others(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(hall.gateway.driver, 600)
    hall.rooms.create("garden", PERSISTENT, [], [[NURSE, "n", []]])
    hall.rooms.subscriptions(ROMEO)  # makes the index
    load, loaded = hall.gateway.driver.load, []

    def counting(user: str | None, host: str, store: str) -> Any:
        loaded.append((user, host, store))
        return load(user, host, store)

    monkeypatch.setattr(hall.gateway.driver, "load", counting)
    monkeypatch.setattr(hall.gateway.driver, "bulk_read", raising(AssertionError("reads many")))
    monkeypatch.setattr(hall.gateway.driver, "users", raising(AssertionError("lists rooms")))
    assert hall.rooms.subscriptions(ROMEO) == hall.rooms.occupied(JULIET) == []
    assert [row[0] for row in hall.rooms.subscriptions(NURSE)] == ["garden"]
    hall.rooms.account_removed(parse_jid("romeo@montague.example"))
    assert [place for place in loaded if place[2] == "muc"] == [("garden", SERVICE, "muc")]


def test_lists_of_rooms_read_many_at_a_time(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(hall.gateway.driver, 1200)
    hall.enter(ROMEO)
    hall.rooms.names()
    monkeypatch.setattr(hall.gateway.driver, "load", raising(AssertionError("reads one")))
    assert len(hall.rooms.matching("^r0001")) == 100
    assert hall.rooms.matching("balcony") == [["balcony", "true", 1]]
    assert len(hall.rooms.unused(1)) == 1200


def test_the_index_of_rooms_in_memory() -> None:
    index, romeo, juliet = MemoryIndex(), JID("romeo", "a", ""), JID("juliet", "a", "")
    index.put("x", frozenset((romeo, juliet)))
    index.put("y", frozenset((romeo,)))
    index.put("x", frozenset((juliet,)))
    assert (index.of(romeo), index.of(juliet)) == ({"y"}, {"x"})
    index.put("x", frozenset())
    index.put("y", frozenset())
    assert (index.of(romeo), index._users, index._rooms) == (set(), {}, {})


def test_a_room_that_could_not_be_made_is_not_there(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as failing:
        failing.setattr(hall.gateway.driver, "store", raising(StorageError("full")))
        with pytest.raises(StorageError):
            hall.rooms.create("garden", PERSISTENT, [], [])
    assert hall.rooms.names() == []
    hall.rooms.create("garden", PERSISTENT, [], [])
    assert hall.rooms.names() == ["garden"]


def test_a_room_of_many_is_removed_in_parts(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part is one transaction, for which other writers wait."""
    monkeypatch.setattr(room_index, "PART", 10)
    sizes: list[int] = []
    driver, write = hall.gateway.driver, hall.gateway.driver.bulk_write
    monkeypatch.setattr(driver, "bulk_write", lambda contents: sizes.append(len(contents)) or write(contents))
    users: list[list[Any]] = [[f"guest{n}@verona.example", f"n{n}", []] for n in range(30)]
    hall.rooms.create("garden", PERSISTENT, [], users)
    assert [row[0] for row in hall.rooms.subscriptions(users[29][0])] == ["garden"]
    hall.rooms.destroy("garden", "", True)
    assert list(driver.users(SERVICE)) == []
    assert sum(sizes) == 2 * 30
    assert max(sizes) <= 10
