"""/api/rooms and the paths below it: status and text of every answer (client-api §3, §10)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from tests.api.client.calls import JULIET, NURSE, ROMEO, refused
from tests.api.client.rooms import CLUB, HOST, OUTSIDER, UNKNOWN, Rooms
from tests.conftest import DOMAIN, PASSWORD, SHARED, MakeApp, register_users
from tests.many import in_threads
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid

NO_CONFIG = (403, "Given user does not have permission to change config")
NO_AFFILIATIONS = (403, "Given user does not have permission to change affiliations")


# creating and listing


def test_no_rooms(juliet: Rooms) -> None:
    response = juliet("GET")
    assert (response.status_code, response.get_json()) == (200, [])


def test_a_room_of_a_generated_name(juliet: Rooms, nurse: Rooms) -> None:
    first, second = juliet.create(), juliet.create()
    assert first != second
    assert UUID(first).version == 4
    assert juliet("GET").get_json() == [{"id": i, **CLUB} for i in (first, second)]
    assert nurse("GET").get_json() == []
    assert juliet("GET", f"/{first}").get_json() == {**CLUB, "participants": [{"user": JULIET, "role": "owner"}]}
    assert juliet.items(first) == [], "making a room is silent"


def test_the_segment_of_a_post_counts_for_nothing(juliet: Rooms) -> None:
    for path in ("/garden", "/@invalid"):
        response = juliet("POST", path, CLUB)
        assert response.status_code == 201
        assert response.get_json()["id"] != "garden"


@pytest.mark.parametrize("path", ["garden", "GARDEN", f"garden@{HOST}", f"Garden%40{HOST.upper()}", f"garden@{HOST}%2Fresource", "garden/"])
def test_the_ways_to_name_a_room(juliet: Rooms, path: str) -> None:
    assert juliet.create(path) == "garden"
    for form in ("garden", path):
        assert juliet("GET", f"/{form}").status_code == 200


def test_a_name_that_is_taken(juliet: Rooms, nurse: Rooms) -> None:
    juliet.create("garden")
    for user in (juliet, nurse):
        assert refused(user("PUT", "/garden", {"name": "Mine", "subject": "now"})) == (403, "Room already exists")
    assert refused(nurse("PUT", "/garden", {"name": 5, "subject": "now"})) == (403, "Room already exists")
    assert juliet("GET", "/garden").get_json()["name"] == "Book club"
    assert nurse.ids() == set()


def test_empty_texts_and_unknown_keys(juliet: Rooms) -> None:
    assert juliet("PUT", "/garden", {"name": "", "subject": "", "colour": 5}).status_code == 201
    assert juliet("GET", "/garden").get_json() == {"name": "", "subject": "", "participants": [{"user": JULIET, "role": "owner"}]}


def test_of_many_who_make_the_same_room_one_wins(app: Flask) -> None:
    users = [Rooms(app, JULIET), Rooms(app, NURSE)] * 3
    responses = in_threads(lambda user: user("PUT", "/garden", CLUB), users)
    assert sorted(response.status_code for response in responses) == [201, 403, 403, 403, 403, 403]
    assert sorted(len(user.ids()) for user in users[:2]) == [0, 1]


CREATIONS = [
    ("", 400, "Invalid request body"),
    ("{", 400, "Invalid request body"),
    ('"name"', 400, "Invalid request body"),
    ("{}", 400, "Missing room name"),
    ('{"subject": "s"}', 400, "Missing room name"),
    ('{"name": "n"}', 400, "Missing room subject"),
    ('{"name": 5}', 400, "Missing room subject"),
    ('{"name": 5, "subject": 5}', 400, "Validation failed for key: roomname with reason type_error"),
    ('{"name": null, "subject": "s"}', 400, "Validation failed for key: roomname with reason type_error"),
    ('{"name": "n", "subject": ["s"]}', 400, "Validation failed for key: subject with reason type_error"),
    ('{"name": "\\u0000", "subject": "s"}', 400, "Validation failed for key: roomname with reason type_error"),
    ('{"name": "\\ud83d", "subject": "s"}', 400, "Validation failed for key: roomname with reason type_error"),
]


@SHARED
@pytest.mark.parametrize(("body", "status", "text"), CREATIONS)
@pytest.mark.parametrize(("method", "path"), [("POST", ""), ("POST", "/garden"), ("PUT", "/garden")])
def test_creations_that_are_refused(juliet: Rooms, method: str, path: str, body: str, status: int, text: str) -> None:
    assert refused(juliet(method, path, data=body, content_type="application/json")) == (status, text)
    assert juliet.ids() == set()


SEGMENTS = [
    *((segment, "Invalid room ID") for segment in ["@invalid", "a%20b", "a:b", f"{'x' * 1024}", f"{HOST}%2Fgarden"]),
    (f"garden@{DOMAIN}", "Invalid MUC Light domain"),
    ("garden@muclight.montague.example", "Invalid MUC Light domain"),
    ("garden%2Fx", "Invalid MUC Light domain"),
]
ENDPOINTS = [
    ("GET", "/{}"),
    ("PUT", "/{}"),
    ("PUT", "/{}/config"),
    ("POST", "/{}/users"),
    ("DELETE", "/{}/users"),
    ("DELETE", f"/{{}}/users/{NURSE}"),
    ("POST", "/{}/messages"),
    ("GET", "/{}/messages?kuropatwa"),
]


@SHARED
@pytest.mark.parametrize(("segment", "text"), SEGMENTS)
@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_segments_that_name_no_room_come_before_bodies_and_queries(juliet: Rooms, method: str, path: str, segment: str, text: str) -> None:
    assert refused(juliet(method, path.format(segment), data="{", content_type="application/json")) == (400, text)


def test_a_put_without_a_room(juliet: Rooms) -> None:
    assert refused(juliet("PUT", "", data="{", content_type="application/json")) == (400, "Missing room ID")


def test_without_group_chat(make_app: MakeApp) -> None:
    juliet = Rooms(register_users(make_app(gateway_rooms_domain="")), JULIET)
    missing = (404, "MUC Light server not found")
    for method, path in [*ENDPOINTS, ("GET", ""), ("POST", ""), ("PUT", "")]:
        for segment in ("garden", "@invalid"):
            assert refused(juliet(method, path.format(segment), data="{", content_type="application/json")) == missing


# details and configuration


def test_details(juliet: Rooms, nurse: Rooms, room: str) -> None:
    assert juliet.roles(room) == nurse.roles(room) == {JULIET: "owner", NURSE: "member"}
    assert nurse("GET").get_json() == [{"id": "garden", **CLUB}]


def test_details_are_for_occupants(juliet: Rooms, nurse: Rooms) -> None:
    juliet.create("garden")
    assert refused(nurse("GET", "/garden")) == OUTSIDER
    assert refused(nurse("GET", "/orchard")) == UNKNOWN


def test_configuring(juliet: Rooms, nurse: Rooms, room: str) -> None:
    juliet.done("PUT", f"/{room}/config", {"name": "N", "subject": ""})
    details = nurse("GET", f"/{room}").get_json()
    assert (details["name"], details["subject"]) == ("N", "")
    assert [item["type"] for item in juliet.items(room)] == ["affiliation"], "no item for the configuration"


CONFIGS = [
    ("juliet", "garden", "{", 400, "Invalid request body"),
    ("nurse", "orchard", '{"subject": "s"}', 400, "Missing room name"),
    ("nurse", "orchard", '{"name": "n"}', 400, "Missing room subject"),
    ("nurse", "orchard", '{"name": 5, "subject": "s"}', *UNKNOWN),
    ("admin", "garden", '{"name": 5, "subject": "s"}', *OUTSIDER),
    ("nurse", "garden", '{"name": 5, "subject": "s"}', *NO_CONFIG),
    ("juliet", "garden", '{"name": 5, "subject": "s"}', 400, "Validation failed for key: roomname with reason type_error"),
    ("juliet", "garden", '{"name": "n", "subject": "\\u0000"}', 400, "Validation failed for key: subject with reason type_error"),
]


@pytest.mark.parametrize(("user", "segment", "body", "status", "text"), CONFIGS)
def test_configurations_that_are_refused(
    app: Flask, juliet: Rooms, room: str, user: str, segment: str, body: str, status: int, text: str
) -> None:
    response = Rooms(app, f"{user}@{DOMAIN}")("PUT", f"/{segment}/config", data=body, content_type="application/json")
    assert refused(response) == (status, text)
    assert juliet("GET", f"/{room}").get_json()["name"] == "Book club"


def test_everybody_may_configure_where_that_is_set(make_app: MakeApp) -> None:
    app = register_users(make_app(rooms_all_can_configure="yes"))
    juliet, nurse = Rooms(app, JULIET), Rooms(app, NURSE)
    juliet.create("garden", participants=[NURSE])
    nurse.done("PUT", "/garden/config", {"name": "Hers", "subject": ""})
    assert juliet("GET", "/garden").get_json()["name"] == "Hers"
    assert refused(Rooms(app, f"admin@{DOMAIN}")("PUT", "/garden/config", CLUB)) == OUTSIDER


# occupants


def test_adding(juliet: Rooms, nurse: Rooms, room: str) -> None:
    for user in (ROMEO, f"{ROMEO}/orchard", NURSE, JULIET, "nobody@capulet.example", "Mercutio@Verona.example"):
        juliet.done("POST", f"/{room}/users", {"user": user})
    expected = {JULIET: "owner", NURSE: "member", ROMEO: "member", "nobody@capulet.example": "member", "mercutio@verona.example": "member"}
    assert nurse.roles(room) == expected
    changes = [(item["user"], item["affiliation"]) for item in juliet.items(room)]
    assert changes == [(user, "member") for user in (NURSE, ROMEO, "nobody@capulet.example", "mercutio@verona.example")]


def test_the_segment_of_an_adding_counts_for_nothing(juliet: Rooms, room: str) -> None:
    juliet.done("POST", f"/{room}/users/@invalid", {"user": ROMEO})
    assert juliet.roles(room)[ROMEO] == "member"


def test_removing(juliet: Rooms, nurse: Rooms, room: str) -> None:
    juliet.done("DELETE", f"/{room}/users/{ROMEO}")
    juliet.done("DELETE", f"/{room}/users/{NURSE}%2Fphone")
    assert juliet.roles(room) == {JULIET: "owner"}
    assert nurse.ids() == set()
    assert refused(nurse("GET", f"/{room}/messages")) == OUTSIDER
    assert [(i["user"], i["affiliation"]) for i in juliet.items(room)] == [(NURSE, "member"), (NURSE, "none")]


def test_a_member_leaves(juliet: Rooms, nurse: Rooms, room: str) -> None:
    nurse.done("DELETE", f"/{room}/users/{NURSE}/")
    assert juliet.roles(room) == {JULIET: "owner"}


def test_when_the_owner_leaves_the_first_member_owns_the_room(juliet: Rooms, nurse: Rooms, room: str) -> None:
    for user in (ROMEO, "abram@montague.example"):
        juliet.done("POST", f"/{room}/users", {"user": user})
    juliet.done("DELETE", f"/{room}/users/{JULIET}")
    assert nurse.roles(room) == {NURSE: "member", ROMEO: "member", "abram@montague.example": "owner"}
    last = nurse.items(room)[-1]
    assert (last["user"], last["affiliation"], last["from"]) == ("abram@montague.example", "owner", f"garden@{HOST}")
    assert last["changes"] == [{"user": "abram@montague.example", "affiliation": "owner"}, {"user": JULIET, "affiliation": "none"}]
    assert juliet.ids() == set()


def test_the_last_one_takes_the_room_along(juliet: Rooms, nurse: Rooms, room: str) -> None:
    juliet("POST", f"/{room}/messages", {"body": "hist, nurse, hist"})
    juliet.done("DELETE", f"/{room}/users/{JULIET}")
    assert nurse.roles(room) == {NURSE: "owner"}
    nurse.done("DELETE", f"/{room}/users/{NURSE}")
    assert refused(nurse("GET", f"/{room}")) == UNKNOWN
    assert (juliet.ids(), nurse.ids()) == (set(), set())
    nurse.create(room)
    assert nurse.items(room) == [], "a new room of that name starts empty"


ADDINGS = [
    ("juliet", "garden", "{", 400, "Invalid request body"),
    ("juliet", "garden", "{}", 400, "Missing JID"),
    ("admin", "orchard", '{"user": "@invalid"}', 400, "Invalid user JID: @invalid"),
    ("juliet", "garden", '{"user": 5}', 400, "Invalid user JID: 5"),
    ("juliet", "garden", '{"user": "שלום@capulet.example"}', 400, "Invalid user JID: שלום@capulet.example"),
    ("admin", "orchard", f'{{"user": "{ROMEO}"}}', *UNKNOWN),
    ("admin", "garden", f'{{"user": "{ROMEO}"}}', *OUTSIDER),
    ("nurse", "garden", f'{{"user": "{ROMEO}"}}', *NO_AFFILIATIONS),
    ("nurse", "garden", f'{{"user": "{JULIET}"}}', *NO_AFFILIATIONS),
]


@pytest.mark.parametrize(("user", "segment", "body", "status", "text"), ADDINGS)
def test_addings_that_are_refused(
    app: Flask, juliet: Rooms, room: str, user: str, segment: str, body: str, status: int, text: str
) -> None:
    response = Rooms(app, f"{user}@{DOMAIN}")("POST", f"/{segment}/users", data=body, content_type="application/json")
    assert refused(response) == (status, text)
    assert juliet.roles(room).keys() == {JULIET, NURSE}


REMOVALS = [
    ("juliet", "garden/users", 400, "Missing JID"),
    ("juliet", "garden/users/", 400, "Missing JID"),
    ("admin", "orchard/users/@invalid", 400, "Invalid user JID: @invalid"),
    ("admin", f"orchard/users/{ROMEO}", *UNKNOWN),
    ("admin", f"garden/users/{ROMEO}", *OUTSIDER),
    ("admin", f"garden/users/admin@{DOMAIN}", *OUTSIDER),
    ("nurse", f"garden/users/{JULIET}", *NO_AFFILIATIONS),
    ("nurse", f"garden/users/{ROMEO}", *NO_AFFILIATIONS),
]


@pytest.mark.parametrize(("user", "path", "status", "text"), REMOVALS)
def test_removals_that_are_refused(app: Flask, juliet: Rooms, room: str, user: str, path: str, status: int, text: str) -> None:
    assert refused(Rooms(app, f"{user}@{DOMAIN}")("DELETE", f"/{path}")) == (status, text)
    assert juliet.roles(room) == {JULIET: "owner", NURSE: "member"}


def test_members_may_not_add_here_even_where_xmpp_lets_them(make_app: MakeApp) -> None:
    app = register_users(make_app(rooms_all_can_invite="yes"))
    Rooms(app, JULIET).create("garden", participants=[NURSE])
    assert refused(Rooms(app, NURSE)("POST", "/garden/users", {"user": ROMEO})) == NO_AFFILIATIONS


def test_a_full_room(make_app: MakeApp) -> None:
    juliet = Rooms(register_users(make_app(rooms_max_occupants="2")), JULIET)
    juliet.create("garden", participants=[NURSE])
    juliet.done("POST", "/garden/users", {"user": NURSE})
    assert refused(juliet("POST", "/garden/users", {"user": ROMEO})) == (403, "A room holds at most 2 occupants")
    assert refused(juliet("PUT", "/orchard", CLUB | {"participants": [NURSE, ROMEO]}))[0] == 403
    assert juliet.ids() == {"garden"}


def test_many_are_added_and_removed_at_once(app: Flask, juliet: Rooms) -> None:
    juliet.create("garden")
    users = [f"u{n}@montague.example" for n in range(12)]

    def act(user: str) -> None:
        api = Rooms(app, JULIET)
        api.done("POST", "/garden/users", {"user": user})
        api.done("POST", "/garden/users", {"user": "paris@verona.example"})
        if user[1:2] == "1":
            api.done("DELETE", f"/garden/users/{user}")

    in_threads(act, users)
    stay = {user for user in users if user[1:2] != "1"} | {"paris@verona.example", JULIET}
    assert juliet.roles("garden").keys() == stay
    gateway: Gateway = app.extensions["gateway"]
    assert gateway.parts.muclight
    for user in users:
        assert len(gateway.parts.muclight.occupied(parse_jid(user))) == (user in stay)
    changes = [(i["user"], i["affiliation"]) for i in juliet.items("garden")]
    assert sorted(changes) == sorted([(u, "member") for u in (*users, "paris@verona.example")] + [(u, "none") for u in set(users) - stay])


# extensions


def test_a_room_with_its_occupants(juliet: Rooms, nurse: Rooms) -> None:
    juliet.create("garden", participants=[NURSE, ROMEO, NURSE, JULIET])
    assert nurse.roles("garden") == {JULIET: "owner", NURSE: "member", ROMEO: "member"}
    (item,) = nurse.items("garden")
    assert item["changes"] == [{"user": NURSE, "affiliation": "member"}, {"user": ROMEO, "affiliation": "member"}]
    assert juliet.create(participants=[]) in juliet.ids()


@pytest.mark.parametrize(
    ("participants", "text"),
    [("x", "Invalid list of participants"), ({}, "Invalid list of participants"), (["@invalid"], "Invalid user JID: @invalid"), ([5], "Invalid user JID: 5")],
)
def test_participants_that_are_refused(juliet: Rooms, participants: Any, text: str) -> None:
    assert refused(juliet("PUT", "/garden", CLUB | {"participants": participants})) == (400, text)
    assert juliet.ids() == set()


def test_a_description(juliet: Rooms) -> None:
    juliet.create("garden", description="Under the balcony")
    assert juliet("GET", "/garden").get_json()["description"] == "Under the balcony"
    assert juliet("GET").get_json() == [{"id": "garden", **CLUB}]
    juliet.done("PUT", "/garden/config", CLUB)
    assert juliet("GET", "/garden").get_json()["description"] == "Under the balcony"
    juliet.done("PUT", "/garden/config", CLUB | {"description": ""})
    assert "description" not in juliet("GET", "/garden").get_json()
    text = "Validation failed for key: description with reason type_error"
    assert refused(juliet("PUT", "/garden/config", CLUB | {"description": 5})) == (400, text)


# what holds for every route

ALLOW = {
    "": "OPTIONS, GET, POST, PUT",
    "/garden": "OPTIONS, GET, POST, PUT",
    "/garden/config": "OPTIONS, PUT",
    "/garden/users": "OPTIONS, POST, DELETE",
    f"/garden/users/{NURSE}": "OPTIONS, POST, DELETE",
    "/garden/messages": "OPTIONS, GET, POST",
}


@pytest.mark.parametrize("path", ALLOW)
def test_methods_and_credentials(app: Flask, juliet: Rooms, path: str) -> None:
    client = app.test_client()
    options = client.options(f"/api/rooms{path}")
    assert (options.status_code, options.headers["Allow"], options.data) == (200, ALLOW[path], b"")
    for method in {"GET", "POST", "PUT", "DELETE", "PATCH"} - set(ALLOW[path].split(", ")):
        wrong = client.open(f"/api/rooms{path}", method=method)
        assert (wrong.status_code, wrong.headers["Allow"], wrong.data) == (405, ALLOW[path], b"")
    for method in set(ALLOW[path].split(", ")) - {"OPTIONS"}:
        assert client.open(f"/api/rooms{path}", method=method, json={}).status_code == 401
        accept = client.open(f"/api/rooms{path}", method=method, json={}, headers=juliet.headers | {"Accept": "text/html"})
        assert (accept.status_code, accept.data) == (406, b"")
        if method in ("POST", "PUT"):
            kind = juliet(method, path, data="{}", content_type="text/plain")
            assert (kind.status_code, kind.data) == (415, b"")


@pytest.mark.parametrize("path", ["/garden/occupants", "/garden/messages/x", "/garden/config/x", "/garden/users/a/b", "//users"])
def test_unknown_paths(juliet: Rooms, path: str) -> None:
    response = juliet("GET", path)
    assert (response.status_code, response.data) == (404, b"")


# accounts that go


def test_an_account_that_is_removed_leaves_its_rooms(juliet: Rooms, nurse: Rooms, room: str, gateway: Gateway) -> None:
    gateway.parts.accounts.unregister(parse_jid(JULIET))
    assert nurse.roles(room) == {NURSE: "owner"}
    gateway.parts.accounts.register(parse_jid(JULIET), PASSWORD)
    assert juliet.ids() == set()
    assert refused(juliet("GET", f"/{room}/messages")) == OUTSIDER


# generation 3


def test_the_old_generation(make_app: MakeApp) -> None:
    app = register_users(make_app(client_generation="3"))
    juliet, nurse = Rooms(app, JULIET), Rooms(app, NURSE)
    created = juliet("POST", "", CLUB)
    assert (created.status_code, created.get_json().keys()) == (200, {"id"})
    assert juliet.create("garden") == "garden"
    rows: list[tuple[Rooms, str, str, Any, int]] = [
        (juliet, "PUT", "/garden", CLUB, 400),
        (juliet, "PUT", "", CLUB, 500),
        (juliet, "GET", f"/garden@{HOST}%2Fx", None, 400),
        (juliet, "GET", f"/garden@{HOST}", None, 200),
        (nurse, "GET", "/garden", None, 403),
        (nurse, "PUT", "/garden/config", CLUB, 403),
        (nurse, "POST", "/garden/users", {"user": ROMEO}, 403),
        (nurse, "GET", "/orchard", None, 404),
        (juliet, "POST", "", {"name": "n"}, 400),
    ]
    for api, method, path, body, status in rows:
        response = api(method, path, body)
        assert response.status_code == status, (method, path)
        assert (response.data == b"") == (status >= 400)
