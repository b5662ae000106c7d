"""`/rest/rooms` and `/rest/rooms/{room}`: whose rooms, which rooms, coming and going, and every refusal in its form."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, TOKEN, basic
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.rooms.of_actors import Joined
from xmpp_rest.service.rooms.refused import join_refused
from xmpp_rest.service.rooms.values import Wish

from .conftest import JULIET, OCCUPANTS, PATH, ROOM, Written, detail

ADMIN = basic(f"admin@{DOMAIN}")
COMPONENT = {"Authorization": TOKEN}
ME = f"juliet@{DOMAIN}"


def test_the_list_is_ordered_and_short(client: FlaskClient, written: Written) -> None:
    written.put(ME, "yard@conference.montague.example")
    written.put(ME, ROOM, occupants=OCCUPANTS, name="Garden")
    written.put(f"nurse@{DOMAIN}", "kitchen@conference.montague.example")
    answer = client.get("/rest/rooms", headers=JULIET)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    rooms = answer.get_json()["rooms"]
    assert [row["room"] for row in rooms] == [ROOM, "yard@conference.montague.example"]
    assert list(rooms[0]) == ["room", "nick", "state", "since", "reason", "stay", "by"]
    assert client.head("/rest/rooms", headers=JULIET).status_code == 200


def test_one_room_tells_all(client: FlaskClient, written: Written) -> None:
    written.put(ME, occupants=OCCUPANTS, occupants_total=2, name="Garden")
    shown = client.get(PATH, headers=JULIET).get_json()
    assert shown["name"] == "Garden"
    assert shown["occupants"][0] == {"nick": "juliet", "role": "participant", "affiliation": "none"}
    assert shown["occupants"][1]["jid"] == "romeo@montague.example/orchard"
    assert client.get(PATH.replace("@", "%40"), headers=JULIET).get_json() == shown
    assert client.get(PATH.upper().replace("/REST/ROOMS", "/rest/rooms"), headers=JULIET).get_json() == shown
    assert "no membership" in detail(client.get(f"/rest/rooms/other@{DOMAIN}x", headers=JULIET))


BAD_ROOMS: list[tuple[str, int, str]] = [
    ("conference.montague.example", 422, "jid-malformed"),
    (f"{ROOM}/nick", 422, "jid-malformed"),
    (f"{ROOM}%2Fnick", 422, "jid-malformed"),
    ("a%20b@conference.montague.example", 422, "jid-malformed"),
    ("@conference.montague.example", 422, "jid-malformed"),
    (f"garden@muclight.{DOMAIN}", 422, "feature-not-implemented"),
    (f"nurse@{DOMAIN}", 404, "service-unavailable"),
    (f"{ROOM}/no/verb", 404, "item-not-found"),
]


def test_what_is_no_room(client: FlaskClient, written: Written) -> None:
    for (path, status, condition), method in itertools.product(BAD_ROOMS, ("GET", "PUT", "DELETE")):
        answer = client.open(f"/rest/rooms/{path}", method=method, headers=JULIET)
        if path == f"{ROOM}/nick":
            status, condition = 404, "item-not-found"  # two parts: the first is a room
        assert (answer.status_code, answer.get_json()["condition"]) == (status, condition)
        assert detail(answer)
        if "muclight" in path:
            assert "/api/rooms" in detail(answer)
        assert written.wishes == []


def test_rooms_of_the_own_service_are_served(client: FlaskClient, written: Written) -> None:
    answer = client.put(f"/rest/rooms/hall@conference.{DOMAIN}", headers=JULIET)
    assert answer.status_code == 201


def test_who_may_ask(client: FlaskClient, written: Written) -> None:
    assert client.get("/rest/rooms").status_code == 401
    assert "Basic" in client.get("/rest/rooms").headers["WWW-Authenticate"]
    assert detail(client.get("/rest/rooms"))
    wrong = client.get(PATH, headers=basic(ME, "wrong"))
    assert (wrong.status_code, wrong.get_json()["condition"]) == (403, "not-authorized")
    assert client.get(PATH, headers={"Authorization": "Digest x"}).status_code == 401
    assert client.get(f"/rest/rooms/{ROOM}/nothing/there").status_code == 401


def test_of_names_another_actor(client: FlaskClient, written: Written) -> None:
    written.put(f"nurse@{DOMAIN}")
    written.put(DOMAIN, "hall@conference.montague.example")
    nurse = f"/rest/rooms?of=nurse@{DOMAIN}"
    for who in ADMIN, COMPONENT:
        assert [row["room"] for row in client.get(nurse, headers=who).get_json()["rooms"]] == [ROOM]
    assert [row["room"] for row in client.get("/rest/rooms", headers=COMPONENT).get_json()["rooms"]] == ["hall@conference.montague.example"]
    for who, path in (JULIET, nurse), (ADMIN, f"{PATH}?of=juliet@elsewhere.example"), (COMPONENT, f"{PATH}?of=x@conference.{DOMAIN}"):
        answer = client.get(path, headers=who)
        assert (answer.status_code, answer.get_json()["condition"]) == (403, "forbidden")
    assert client.get("/rest/rooms?of=@", headers=ADMIN).status_code == 422
    joined = client.put(f"{PATH}?of=ghost@{DOMAIN}", headers=COMPONENT)
    assert joined.status_code == 201
    assert joined.headers["Location"] == f"{PATH}?of=ghost@{DOMAIN}"
    assert (parse_jid(f"ghost@{DOMAIN}"), parse_jid(ROOM)) in written.views


def test_put_joins_once(client: FlaskClient, written: Written) -> None:
    asked = {"nick": "Juliet C.", "password": "balcony", "history": 20, "stay": False, "create": True}
    answer = client.put(PATH, json=asked, headers=JULIET)
    assert (answer.status_code, answer.headers["Location"]) == (201, PATH)
    assert answer.get_json()["nick"] == "Juliet C."
    assert "balcony" not in answer.text
    assert written.wishes == [Wish("Juliet C.", True, "balcony", 20, False, True, "request")]
    again = client.put(PATH, headers=JULIET)
    assert (again.status_code, "Location" in again.headers) == (200, False)
    assert written.wishes[1] == Wish(stay=True, by="request")


def test_put_takes_the_nick_of_the_field(client: FlaskClient, written: Written) -> None:
    client.put(PATH, headers=JULIET | {"Nick": "J%C3%BAlia"})
    client.put(PATH, headers=JULIET | {"Nick": "x"}, json={"nick": "y"})
    assert [wish.nick for wish in written.wishes] == ["Júlia", "y"]
    for bad in "%FF", "%20", "", "%00":
        answer = client.put(PATH, headers=JULIET | {"Nick": bad})
        assert (answer.status_code, answer.get_json()["condition"]) == (422, "jid-malformed"), bad
    assert len(written.wishes) == 2


def test_put_without_waiting(client: FlaskClient, written: Written) -> None:
    answer = client.put(PATH, headers=JULIET | {"Prefer": "respond-async"})
    assert (answer.status_code, answer.get_json()["state"]) == (202, "joining")
    assert answer.headers["Preference-Applied"] == "respond-async"


def test_a_change_of_the_nick_that_nobody_waits_for_is_not_said_to_be_done(
    client: FlaskClient, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = written.put(ME, nick="juliet")
    monkeypatch.setattr(written, "join_later", lambda actor, room, wish: Joined(view))  # the room has not answered
    for nick, status in ("Jule", 202), ("juliet", 200):
        answer = client.put(PATH, headers=JULIET | {"Prefer": "respond-async"}, json={"nick": nick})
        assert (answer.status_code, answer.get_json()["nick"]) == (status, "juliet")


BAD_BODIES: list[tuple[Any, ...]] = [
    ({"nik": "x"}, "nick"),
    ({"nick": 5}, "nick"),
    ({"nick": None}, "nick"),
    ({"password": 5}, "password"),
    ({"password": "\0"}, "password"),
    ({"history": "5"}, "history"),
    ({"history": True}, "history"),
    ({"history": 101}, "history"),
    ({"history": -1}, "history"),
    ({"history": 1.5}, "history"),
    ({"stay": "yes"}, "stay"),
    ({"create": 1}, "create"),
    ([], "object"),
    ("x", "object"),
]


def test_what_put_cannot_read(client: FlaskClient, written: Written) -> None:
    for body, named in BAD_BODIES:
        answer = client.put(PATH, json=body, headers=JULIET)
        assert (answer.status_code, answer.get_json()["condition"]) == (422, "bad-request")
        assert named in detail(answer)
        assert written.wishes == []


def test_what_is_no_nick(client: FlaskClient, written: Written) -> None:
    for nick in "", "  ", "x" * 1024, "a\u0000b", "\u3000":
        answer = client.put(PATH, json={"nick": nick}, headers=JULIET)
        assert (answer.status_code, answer.get_json()["condition"]) == (422, "jid-malformed"), nick
        assert "nick" in detail(answer)


def test_bodies_that_are_none(client: FlaskClient, written: Written) -> None:
    for kind in "text/plain", "application/xml", "application/x-www-form-urlencoded":
        answer = client.put(PATH, data="{}", content_type=kind, headers=JULIET)
        assert answer.status_code == 415
        assert "application/json" in detail(answer)
    assert client.put(PATH, data="{}", headers=JULIET).status_code == 415
    assert client.put(PATH, data="{", content_type="application/json", headers=JULIET).status_code == 400
    assert client.put(PATH, data=b"[" * 20_000_000, content_type="application/json", headers=JULIET).status_code == 413
    assert client.put(PATH, data="", content_type="application/json", headers=JULIET).status_code == 201
    assert len(written.wishes) == 1
    wrong = client.put(PATH, data="x", content_type="text/plain", headers=JULIET).get_json()
    assert (wrong["room"], client.put(PATH, json={"x": 1}, headers=JULIET).get_json()["room"]) == (ROOM, ROOM)


REFUSED: list[tuple[Any, ...]] = [
    (StanzaError("cancel", "conflict"), 409),
    (StanzaError("auth", "not-authorized"), 403),
    (StanzaError("auth", "registration-required"), 403),
    (StanzaError("auth", "forbidden", "Too loud"), 403),
    (StanzaError("cancel", "not-allowed"), 403),
    (StanzaError("modify", "policy-violation"), 403),
    (StanzaError("cancel", "item-not-found"), 404),
    (StanzaError("cancel", "gone"), 410),
    (StanzaError("modify", "not-acceptable"), 409),
    (StanzaError("modify", "jid-malformed"), 422),
    (StanzaError("modify", "bad-request"), 422),
    (StanzaError("wait", "resource-constraint"), 503),
    (StanzaError("wait", "service-unavailable", "Too many users in this conference"), 503),
    (StanzaError("cancel", "service-unavailable"), 404),
    (StanzaError("cancel", "feature-not-implemented"), 404),
    (StanzaError("cancel", "remote-server-not-found"), 502),
    (StanzaError("wait", "remote-server-timeout"), 504),
    (StanzaError("cancel", "internal-server-error"), 502),
    (StanzaError("cancel", "undefined-condition"), 502),
]


def test_what_a_room_refuses(client: FlaskClient, written: Written) -> None:
    for error, status in REFUSED:
        written.refusal = join_refused(error, ROOM, location="yard@conference.montague.example" if status == 410 else "")
        answer = client.put(PATH, headers=JULIET)
        problem = answer.get_json()
        assert (answer.status_code, problem["condition"], problem["by"], problem["room"]) == (status, error.condition, ROOM, ROOM)
        assert detail(answer) == (error.text or problem["detail"])
        assert (answer.headers.get("Retry-After") == "30") == (status == 503)
        assert ("location" in problem) == (status == 410)
        assert written.views == {}


def test_delete_leaves(client: FlaskClient, written: Written) -> None:
    written.put(ME)
    answer = client.delete(f"{PATH}?reason=Good%20night", headers=JULIET)
    assert (answer.status_code, answer.data) == (204, b"")
    assert written.left == [(parse_jid(ME), parse_jid(ROOM), "Good night")]
    assert client.delete(PATH, headers=JULIET).status_code == 404
    written.put(ME)
    assert client.delete(f"{PATH}?reason=%00", headers=JULIET).status_code == 422
    written.put(ME, by="callback:bot")
    stands = client.delete(PATH, headers=JULIET)
    assert stands.status_code == 409
    assert "[callback.bot] rooms" in detail(stands)


def test_other_methods_and_preflights(client: FlaskClient, written: Written) -> None:
    refused = client.post(PATH, json={}, headers=JULIET)
    assert (refused.status_code, refused.headers["Allow"]) == (405, "DELETE, GET, HEAD, OPTIONS, PUT")
    assert detail(refused)
    asked = {"Origin": "https://chat.example", "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization"}
    preflight = client.options(PATH, headers=asked)
    assert preflight.status_code == 200
    assert "PUT" in preflight.headers["Access-Control-Allow-Methods"]
    assert {"Authorization", "Nick"} <= set(preflight.headers["Access-Control-Allow-Headers"].split(", "))
