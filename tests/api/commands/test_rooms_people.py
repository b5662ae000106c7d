"""Commands about people in rooms answer as the peer's do (commands-api §10, §12)."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from tests.api.commands.conftest import Run
from tests.conftest import DOMAIN, SHARED
from tests.service.muc.hall import JULIET, ROMEO, SERVICE, TYBALT, Hall, codes

ROOM = {"room": "verona", "service": SERVICE}
NONE = {"room": "mantua", "service": SERVICE}
AT = f"verona@{SERVICE}"
NODES = "urn:xmpp:mucsub:nodes:"
BOTH = [f"{NODES}messages", f"{NODES}presence"]
J = f"juliet@{DOMAIN}"


@pytest.fixture(autouse=True)
def room(run: Run) -> None:
    run("create_room", ROOM | {"host": DOMAIN})


def allow(run: Run) -> None:
    run("change_room_option", ROOM | {"option": "allow_subscription", "value": "true"})


# affiliations


@pytest.mark.parametrize("word", ["owner", "admin", "member", "outcast"])
def test_affiliations(run: Run, word: str) -> None:
    v0 = {"name": "verona", "service": SERVICE}
    assert run("set_room_affiliation/v0", v0 | {"jid": f"{J}/x", "affiliation": word}) == (200, 0)
    assert run("get_room_affiliation", ROOM | {"jid": f"{J}/y"}) == (200, word)
    assert run("get_room_affiliation/v0", ROOM | {"jid": J}) == (200, {"affiliation": word})
    assert run("get_room_affiliations/v2", v0) == (200, [{"username": "juliet", "domain": DOMAIN, "affiliation": word, "reason": ""}])
    assert run("get_room_affiliations", ROOM) == (200, [{"jid": J, "affiliation": word, "reason": ""}])
    assert run("set_room_affiliation", ROOM | {"user": "juliet", "host": DOMAIN, "affiliation": "none"}) == (200, 0)
    assert (run("get_room_affiliations", ROOM).body, run("get_room_affiliation", ROOM | {"jid": J}).body) == ([], "none")


@SHARED
@pytest.mark.parametrize(
    ("path", "args", "answer"),
    [
        ("set_room_affiliation", ROOM | {"user": "juliet", "host": DOMAIN, "affiliation": "king"}, (400, "Invalid affiliation")),
        ("set_room_affiliation", NONE | {"user": "juliet", "host": DOMAIN, "affiliation": "king"}, (400, "Invalid affiliation")),
        ("set_room_affiliation", NONE | {"user": "juliet", "host": DOMAIN, "affiliation": "none"}, (400, "Room doesn't exists")),
        ("set_room_affiliation", ROOM | {"user": "a b", "host": DOMAIN, "affiliation": "none"}, (400, "Invalid 'jid'")),
        ("set_room_affiliation/v0", {"name": "verona", "service": SERVICE, "jid": "@", "affiliation": "none"}, (400, "Invalid 'jid'")),
        ("set_room_affiliation/v3", {"name": "verona", "service": SERVICE, "jid": J, "affiliation": "none"}, (400, "Request have missing argument: room")),
        ("get_room_affiliation", NONE | {"jid": J}, (400, "The room does not exist.")),
        ("get_room_affiliations", NONE, (400, "The room does not exist.")),
        ("get_room_affiliations/v0", {"name": "mantua", "service": SERVICE}, (400, "The room does not exist.")),
        ("get_room_affiliations", NONE | {"room": "a b"}, (400, "The room does not exist.")),
        ("get_room_history", NONE, (400, "The room does not exist.")),
        ("get_subscribers", NONE, (400, "The room does not exist")),
        ("get_room_occupants", NONE, (400, "room_not_found")),
        ("get_room_occupants/v0", {"name": "mantua", "service": SERVICE}, (400, "room_not_found")),
        ("get_room_occupants_number", NONE, (400, "room_not_found")),
        ("send_direct_invitation", NONE | {"password": "", "reason": "", "users": [J]}, (400, "room_not_found")),
        ("send_direct_invitation", ROOM | {"password": "", "reason": "", "users": ["@"]}, (400, "Malformed user JID")),
        ("get_user_rooms", {"user": "nobody", "host": DOMAIN}, (200, [])),
        ("get_user_rooms", {"user": "a b", "host": DOMAIN}, (200, [])),
        ("get_user_subscriptions", {"user": "a b", "host": DOMAIN}, (200, [])),
    ],
)
def test_what_is_refused(run: Run, path: str, args: dict[str, Any], answer: Any) -> None:
    assert run(path, args) == answer


def test_a_command_bans(run: Run, app: Flask) -> None:
    hall = Hall(app)
    hall.enter(ROMEO, TYBALT, room=AT)
    run("set_room_affiliation/v0", {"name": "verona", "service": SERVICE, "jid": "tybalt@verona.example", "affiliation": "outcast"})
    assert codes(hall.take(TYBALT)[0]) == {"301", "110"}
    assert run("get_room_occupants_number", ROOM) == (200, 1)


# occupants


def test_occupants(run: Run, app: Flask) -> None:
    hall = Hall(app)
    run("set_room_affiliation/v0", {"name": "verona", "service": SERVICE, "jid": "romeo@montague.example", "affiliation": "owner"})
    hall.enter(ROMEO, JULIET, room=AT)
    assert run("get_room_occupants", ROOM).body == [
        {"jid": JULIET, "nick": "Juliet", "role": "participant"},
        {"jid": ROMEO, "nick": "Romeo", "role": "moderator"},
    ]
    assert run("get_room_occupants_number/v0", ROOM) == (200, {"occupants": 2})
    hall.presence(f"{J}/web", "Sun", room=AT)
    assert run("get_user_rooms", {"user": "juliet", "host": DOMAIN}) == (200, [AT])


def test_history(run: Run, app: Flask) -> None:
    hall = Hall(app)
    hall.enter(ROMEO, room=AT)
    assert run("get_room_history", ROOM) == (200, [])
    hall.say(ROMEO, "hark", room=AT)
    (row,) = run("get_room_history", ROOM).body
    assert row["timestamp"].startswith("20")
    assert "<body>hark</body>" in row["message"]
    assert f"from='{AT}/Romeo'" in row["message"]


@pytest.mark.parametrize(("version", "users"), [("/v0", f"{J}:romeo@montague.example:{TYBALT}"), ("", [J, "romeo@montague.example", TYBALT])])
def test_invitations(run: Run, app: Flask, version: str, users: Any) -> None:
    hall = Hall(app)
    hall.enter(ROMEO, room=AT)
    assert run(f"send_direct_invitation{version}", ROOM | {"password": "none", "reason": "Come in", "users": users}) == (200, 0)
    assert hall.take("romeo@montague.example") == []  # is there already
    (message,) = hall.take(TYBALT)
    x = message.find("{jabber:x:conference}x")
    assert x is not None
    assert (message.get("from"), x.attrib) == (AT, {"jid": AT, "reason": "Come in"})


def test_an_account_finds_its_invitation(run: Run, app: Flask) -> None:
    run("send_direct_invitation", ROOM | {"password": "", "reason": "Come in", "users": [J]})
    (kept,) = Hall(app).gateway.driver.archive_find("juliet", DOMAIN, "archive")
    assert f"jid='{AT}'" in kept.stanza


# subscriptions


def test_subscriptions(run: Run) -> None:
    allow(run)
    subscription = {"user": J, "nick": "Sun", "room": AT}
    assert run("subscribe_room/v0", subscription | {"nodes": f"{BOTH[1]} , {BOTH[0]}"}) == (200, BOTH)
    assert run("subscribe_room/v1", subscription | {"nodes": BOTH[:1]}) == (200, BOTH[:1])
    v3 = {"user": "juliet", "host": DOMAIN, "nick": "Sun"} | ROOM
    assert run("subscribe_room", v3 | {"nodes": [*BOTH, "urn:weather"]}) == (200, BOTH)
    assert run("get_subscribers", ROOM) == (200, [J])
    assert run("get_user_subscriptions", {"user": "juliet", "host": DOMAIN}).body == [{"roomjid": AT, "usernick": "Sun", "nodes": BOTH}]
    assert run("unsubscribe_room/v0", {"user": J, "room": AT}) == (200, 0)
    assert run("muc_online_rooms", {"service": SERVICE}) == (200, [])
    assert run("unsubscribe_room", {"user": "juliet", "host": DOMAIN} | ROOM) == (400, "The room does not exist")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"nick": ""}, "Nickname must be set"),
        ({"nick": "", "room": "@", "user": "@"}, "Nickname must be set"),
        ({"room": "@", "user": "@"}, "Malformed room JID"),
        ({"room": SERVICE}, "Malformed room JID"),
        ({"user": "@", "room": f"mantua@{SERVICE}"}, "Malformed user JID"),
        ({"room": f"mantua@{SERVICE}"}, "The room does not exist"),
        ({"room": "verona@elsewhere.example"}, "The room does not exist"),
        ({}, "Subscriptions are not allowed"),
    ],
)
def test_subscriptions_that_are_refused(run: Run, changes: dict[str, str], text: str) -> None:
    assert run("subscribe_room/v1", {"user": J, "nick": "Sun", "room": AT} | changes) == (400, text)


@pytest.mark.parametrize("room", ["", "two words", "@"])
def test_rooms_that_cannot_be(run: Run, room: str) -> None:
    juliet = {"user": "juliet", "host": DOMAIN, "room": room, "service": SERVICE}
    malformed = (400, "Malformed room JID")
    assert run("subscribe_room", juliet | {"nick": "Sun", "nodes": []}) == malformed
    assert run("unsubscribe_room", juliet) == malformed


def test_a_nick_in_use(run: Run, app: Flask) -> None:
    allow(run)
    Hall(app).enter(ROMEO, room=AT)
    taken = (400, "That nickname is already in use by another occupant")
    assert run("subscribe_room", {"user": "juliet", "host": DOMAIN, "nick": "Romeo"} | ROOM) == taken
    assert run("subscribe_room", {"user": "juliet", "host": DOMAIN, "nick": "Sun"} | ROOM) == (200, [])
    assert run("subscribe_room", {"user": "nurse", "host": DOMAIN, "nick": "Sun"} | ROOM) == taken


@pytest.mark.parametrize(
    ("version", "users", "more"),
    [
        ("/v0", [{"jid": J, "nick": "A"}, {"jid": "b@c", "nick": "B"}], {"room": AT, "nodes": ",".join(BOTH)}),
        ("/v1", [{"jid": J, "nick": "A"}, {"jid": "b@c", "nick": "B"}], {"room": AT, "nodes": BOTH}),
        ("/v1", {J: "A", "b@c": "B"}, {"room": AT, "nodes": BOTH}),
        ("", [{"user": "juliet", "host": DOMAIN, "nick": "A"}, {"user": "b", "host": "c", "nick": "B"}], ROOM | {"nodes": BOTH}),
    ],
)
def test_many_at_once(run: Run, version: str, users: Any, more: dict[str, Any]) -> None:
    allow(run)
    assert run(f"subscribe_room_many{version}", {"users": users} | more) == (200, 0)
    assert run("get_subscribers", ROOM) == (200, ["b@c", J])
    assert run(f"subscribe_room_many{version}", {"users": list(users) * 26 if isinstance(users, list) else {str(n): "x" for n in range(51)}} | more) == (
        400, "Too many users in subscribe_room_many command",
    )  # fmt: skip


# nicks


def test_nicks(run: Run) -> None:
    v3 = {"user": "juliet", "host": DOMAIN, "service": SERVICE}
    assert run("muc_get_registered_nick", v3) == (200, "")
    assert run("muc_register_nick", v3 | {"nick": "Sun"}) == (200, 0)
    assert run("muc_get_registered_nick", v3) == (200, "Sun")
    assert run("muc_register_nick/v0", {"nick": "Sun", "jid": "a@b", "service": SERVICE}) == (400, "Nick already registered")
    assert run("muc_register_nick/v0", {"nick": "Sun", "jid": f"{J}/x", "host": SERVICE}) == (200, 0)
    assert run("muc_register_nick/v0", {"nick": "Moon", "jid": "@", "service": SERVICE}) == (400, "Invalid 'jid'")
    assert run("muc_register_nick/v0", {"nick": "\u0007", "jid": "a@b", "service": SERVICE}) == (400, "Invalid 'nick'")
    assert run("muc_get_registered_nicks", {"service": SERVICE}) == (200, [{"user": "juliet", "host": DOMAIN, "nick": "Sun"}])
    assert run("muc_register_nick", v3 | {"nick": ""}) == (200, 0)
    assert run("muc_get_registered_nick", v3) == (200, "")
    run("muc_register_nick", v3 | {"nick": "Sun"})
    assert run("muc_unregister_nick", v3) == (200, 0)
    assert run("muc_unregister_nick/v0", {"jid": J, "service": SERVICE}) == (200, 0)
    assert run("muc_get_registered_nicks", {"service": SERVICE}) == (200, [])
