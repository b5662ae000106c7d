"""Rooms stay whole when several processes, and several threads, work on them."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from tests.conftest import DOMAIN, MakeApp, basic
from tests.many import in_threads
from tests.service.muc.hall import JULIET, NICKS, NURSE, ROMEO, ROOM, SERVICE, TYBALT, Hall, bodies, codes
from xmpp_rest.errors import GatewayError
from xmpp_rest.service.muc.conference import Conference

LOCAL = {"handle", "close", "domain", "pruned"}  # what other processes have no use for


def run(app: Flask, command: str, **args: Any) -> Any:
    return app.test_client().post(f"/api/{command}", json=args, headers=basic(f"admin@{DOMAIN}")).get_json()


def test_another_process_asks_the_leader(make_app: MakeApp, tmp_path: Path) -> None:
    """The rooms that are in the memory of the leader are there for commands in any process, with their errors."""
    leader, follower = (make_app(server_data_dir=str(tmp_path / "shared")) for _ in range(2))
    hall = Hall(leader)
    follower.extensions["gateway"].start()
    assert (leader.extensions["gateway"].parts.remote.group.is_leader, follower.extensions["gateway"].parts.remote.group.is_leader) == (True, False)
    where = {"room": "balcony", "service": SERVICE}
    assert run(follower, "create_room", **where, host=DOMAIN) == 0
    assert run(follower, "create_room", **where, host=DOMAIN) == "Room already exists"
    hall.enter(ROMEO, TYBALT)
    assert run(follower, "get_room_occupants", **where) == [
        {"jid": ROMEO, "nick": "Romeo", "role": "participant"},
        {"jid": TYBALT, "nick": "Tybalt", "role": "participant"},
    ]
    assert run(follower, "set_room_affiliation/v0", name="balcony", service=SERVICE, jid=TYBALT, affiliation="outcast") == 0
    assert codes(hall.take(TYBALT)[0]) == {"301", "110"}
    assert run(follower, "change_room_option", **where, option="nonsense", value="x").startswith("a room has no option 'nonsense'; write one of ")
    assert run(follower, "get_room_history", room="nowhere", service=SERVICE) == "The room does not exist."
    hall.say(ROMEO, "hark")
    assert run(follower, "get_room_history", **where) == run(leader, "get_room_history", **where)


METHODS = [name for name, _ in inspect.getmembers(Conference, inspect.isfunction) if not name.startswith("_") and name not in LOCAL]


@pytest.mark.parametrize("name", METHODS)
def test_every_method_runs_on_the_leader(name: str) -> None:
    method = getattr(Conference, name)
    assert method.__wrapped__
    hints = {str(p.annotation) for p in list(inspect.signature(method).parameters.values())[1:]}
    assert hints <= {"str", "JID", "int", "bool", "list[str]", "list[list[str]]", "list[list[Any]]", "dict[str, str]"}


@pytest.mark.parametrize("name", ["handle", "close", "_rooms", "__init__", "nothing"])
def test_nothing_else_is(app: Flask, name: str) -> None:
    Hall(app)
    with pytest.raises(GatewayError, match="knows no call"):
        app.extensions["gateway"].parts.remote.perform(f"Conference.{name}", {})


def test_arguments_and_results_are_json(app: Flask) -> None:
    hall = Hall(app)
    hall.rooms.create("balcony", {"allow_subscription": "true"}, [["a@b", "owner"]], [["c@d", "C", []]])
    hall.enter(ROMEO, JULIET)
    hall.say(ROMEO, "hark")
    asked: list[tuple[str, list[str]]] = [
        ("names", []), ("matching", ["b"]), ("empty", []), ("options", ["balcony"]), ("affiliations", ["balcony"]), ("occupants", ["balcony"]),
        ("history", ["balcony"]), ("occupied", [JULIET]), ("subscribers", ["balcony"]), ("subscriptions", ["c@d"]), ("reserved_nicks", []),
    ]  # fmt: skip
    for name, arguments in asked:
        names = inspect.signature(getattr(Conference, name)).parameters
        result = app.extensions["gateway"].parts.remote.perform(f"Conference.{name}", dict(zip(list(names)[1:], arguments, strict=True)))
        assert json.loads(json.dumps(result)) == result


def test_one_of_many_makes_the_room(app: Flask) -> None:
    hall = Hall(app)
    results = in_threads(lambda _: run(app, "create_room", room="balcony", service=SERVICE, host=DOMAIN), range(8))
    assert results.count(0) == 1
    assert hall.rooms.names() == ["balcony"]


def test_many_come_and_go_at_once(app: Flask) -> None:
    """The room ends with each last occupant and starts again; nobody is lost in between, and nothing is left."""
    hall = Hall(app)

    def visit(who: str) -> None:
        for _ in range(30):
            hall.presence(who)
            hall.say(who, "hark")
            hall.leave(who)

    in_threads(visit, (ROMEO, JULIET, NURSE, TYBALT))
    assert hall.rooms.names() == []
    for who in (ROMEO, JULIET, NURSE, TYBALT):
        stanzas = hall.take(who)
        mine = [b for s in stanzas if s.get("from") == f"{ROOM}/{NICKS[who]}" and s.find("{urn:xmpp:delay}delay") is None for b in bodies([s])]
        assert len(mine) == 30
        own = [s for s in stanzas if "110" in codes(s)]
        assert [s.get("type") for s in own] == [None, "unavailable"] * 30


def test_a_kept_room_is_put_away_and_taken_out_again(app: Flask) -> None:
    hall = Hall(app)
    hall.rooms.create("balcony", {"persistent": "true"}, [], [])

    def visit(who: str) -> None:
        for _ in range(15):
            hall.presence(who)
            hall.say(who, "hark")
            hall.leave(who)

    def change() -> None:
        for n in range(15):
            hall.rooms.affiliate("balcony", f"user{n}@verona.example", "member", "")
            hall.rooms.set_option("balcony", "title", f"t{n}")

    in_threads(lambda who: visit(who) if who else change(), (ROMEO, JULIET, None))
    assert len(hall.rooms.affiliations("balcony")) == 15
    assert hall.rooms.options("balcony")["title"] == "t14"
    assert hall.rooms.occupants("balcony") == []
    hall.presence(NURSE)
    assert len(bodies(hall.take(NURSE))) == 20
    assert hall.rooms.history("balcony")[-1][1].count(ROOM) >= 1
