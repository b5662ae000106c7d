"""Messages of rooms: archived, paged and pushed as specified (client-api §4, §6, §8.2, §8.3)."""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.api.client.calls import JULIET, NURSE, refused
from tests.api.client.rooms import CLUB, OUTSIDER, UNKNOWN, Rooms
from tests.conftest import DOMAIN, MakeApp, register_users
from tests.many import in_threads
from xmpp_rest.api.client.events import EventWriter, is_shown
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.service.streams.registry import Stream

ROOM = f"garden@muclight.{DOMAIN}"


class Room(Rooms):
    """Requests of one user to the garden."""

    def post(self, body: Any = None, **given: Any) -> TestResponse:
        return self("POST", "/garden/messages", body, **given)

    def say(self, body: str, **more: Any) -> str:
        response = self.post({"body": body} | more)
        assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
        assert response.get_json().keys() == {"id"}
        return str(response.get_json()["id"])

    def get(self, query: str = "", **fields: str) -> TestResponse:
        return self.client.get(f"/api/rooms/garden/messages{query}", headers=self.headers | fields)

    def shown(self, query: str = "") -> list[dict[str, Any]]:
        response = self.get(query)
        assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
        items: list[dict[str, Any]] = response.get_json()
        return items

    def bodies(self, query: str = "") -> list[str]:
        return [item["body"] for item in self.shown(query) if "body" in item]


@pytest.fixture
def juliet(app: Flask) -> Room:
    return Room(app, JULIET)


@pytest.fixture
def nurse(app: Flask) -> Room:
    return Room(app, NURSE)


pytestmark = pytest.mark.usefixtures("room")


# speaking


def test_the_example_of_the_specification(juliet: Room, nurse: Room) -> None:
    before = time.time_ns() // 1_000_000
    first, second = juliet.say("chapter four?"), nurse.say("five!")
    after = time.time_ns() // 1_000_000
    assert UUID(first).version == 4
    change, question, answer = nurse.shown()
    assert change.items() >= {"type": "affiliation", "from": ROOM, "user": NURSE, "affiliation": "member"}.items()
    assert change.keys() == {"type", "id", "from", "timestamp", "user", "affiliation"}
    clock = [change["timestamp"], question.pop("timestamp"), answer.pop("timestamp")]
    assert question == {"type": "message", "id": first, "from": JULIET, "body": "chapter four?"}
    assert answer == {"type": "message", "id": second, "from": NURSE, "body": "five!"}
    assert clock == sorted(clock)
    assert before <= clock[1] <= clock[2] <= after
    assert juliet.shown() == nurse.shown()


def test_everything_that_a_message_can_hold(juliet: Room) -> None:
    marked = juliet.say("read this", markable=True)
    for kind in ("received", "displayed", "acknowledged"):
        assert juliet.post({"chat_marker": {"type": kind, "id": marked, "more": 1}}).status_code == 200
    juliet.say("both", chat_marker={"type": "displayed", "id": "x"}, markable=True)
    juliet.say("", markable=False)
    juliet.say("plain", markable="true")
    juliet.post({"chat_marker": {"type": "received", "id": ""}, "markable": True})
    shown = [{k: v for k, v in item.items() if k not in ("id", "timestamp", "type", "from")} for item in juliet.shown()[1:]]
    assert shown == [
        {"body": "read this", "markable": True},
        *({"chat_marker": {"type": kind, "id": marked}} for kind in ("received", "displayed", "acknowledged")),
        {"body": "both", "markable": True, "chat_marker": {"type": "displayed", "id": "x"}},
        {"body": ""},
        {"body": "plain"},
        {"chat_marker": {"type": "received", "id": ""}},
    ]


@pytest.mark.parametrize("body", ["<&>'\"]]>", "zwölf 💌\n\ttabs", "  "])
def test_any_text_comes_back_as_it_was(juliet: Room, body: str) -> None:
    juliet.say(body)
    assert juliet.bodies() == [body]


POSTS = [
    ("", 400, "Invalid request body"),
    ("[]", 400, "Invalid request body"),
    ("{}", 400, "No valid message elements"),
    ('{"markable": true}', 400, "No valid message elements"),
    ('{"markable": true, "bodies": "x"}', 400, "No valid message elements"),
    ('{"body": 5}', 400, "Invalid message body"),
    ('{"body": null}', 400, "Invalid message body"),
    ('{"body": "\\u0000"}', 400, "Invalid message body"),
    ('{"body": "\\udc00"}', 400, "Invalid message body"),
    ('{"body": 5, "chat_marker": 5}', 400, "Invalid message body"),
    ('{"body": "x", "chat_marker": 5}', 400, "Invalid chat marker"),
    ('{"chat_marker": null}', 400, "Invalid chat marker"),
    ('{"chat_marker": {}}', 400, "Invalid chat marker"),
    ('{"chat_marker": {"type": "displayed"}}', 400, "Invalid chat marker"),
    ('{"chat_marker": {"type": "markable", "id": "x"}}', 400, "Invalid chat marker"),
    ('{"chat_marker": {"type": ["displayed"], "id": "x"}}', 400, "Invalid chat marker"),
    ('{"chat_marker": {"type": "displayed", "id": 5}}', 400, "Invalid chat marker"),
    ('{"chat_marker": {"type": "displayed", "id": "\\u0000"}}', 400, "Invalid chat marker"),
]


@pytest.mark.parametrize(("body", "status", "text"), POSTS)
def test_messages_that_are_refused(juliet: Room, body: str, status: int, text: str) -> None:
    assert refused(juliet.post(data=body, content_type="application/json")) == (status, text)
    assert len(juliet.shown()) == 1


def test_only_occupants_speak_and_read(app: Flask, juliet: Room, nurse: Room) -> None:
    juliet.say("before")
    admin = Room(app, f"admin@{DOMAIN}")
    assert refused(admin.post({"body": "x"})) == OUTSIDER
    assert refused(admin.post({"body": 5})) == (400, "Invalid message body")
    assert refused(admin.get()) == OUTSIDER
    assert refused(admin.get("?limit=x")) == (400, "Invalid limit")
    juliet.done("POST", "/garden/users", {"user": f"admin@{DOMAIN}"})
    assert admin.bodies() == ["before"], "a new member sees what was said before"
    juliet.done("DELETE", f"/garden/users/{NURSE}")
    assert refused(nurse.post({"body": "x"})) == OUTSIDER
    assert refused(nurse.get()) == OUTSIDER


def test_a_room_that_is_not_there(app: Flask, juliet: Room) -> None:
    for response in (
        juliet.client.post("/api/rooms/orchard/messages", json={"body": "x"}, headers=juliet.headers),
        juliet.client.get("/api/rooms/orchard/messages", headers=juliet.headers),
    ):
        assert refused(response) == UNKNOWN


# paging


def fill(gateway: Gateway, count: int) -> None:
    assert gateway.parts.muclight
    for n in range(count):
        gateway.parts.muclight.send_message("garden", parse_jid(JULIET), parse_text(f"<message><body>{n}</body></message>"))


def test_pages_are_the_newest_items_oldest_first(juliet: Room, gateway: Gateway) -> None:
    fill(gateway, 60)
    assert juliet.bodies() == [str(n) for n in range(10, 60)]
    assert juliet.bodies("?limit=3") == ["57", "58", "59"]
    assert juliet.shown("?limit=0") == []
    assert len(juliet.shown("?limit=500")) == 61
    assert len(juliet.shown("?limit=500&limit=2")) == 2


def test_walking_back(juliet: Room, gateway: Gateway) -> None:
    for _ in range(5):
        fill(gateway, 1)
        time.sleep(0.002)  # an item in the same millisecond as the first of a page is in no page
    seen: list[str] = []
    query = "?limit=2"
    while page := juliet.shown(query):
        seen = [item["id"] for item in page] + seen
        query = f"?limit=2&before={page[0]['timestamp']}"
    assert seen == [item["id"] for item in juliet.shown()]


def test_before_is_strict(juliet: Room) -> None:
    juliet.say("x")
    stamp = juliet.shown()[-1]["timestamp"]
    assert "x" not in juliet.bodies(f"?before={stamp}")
    assert "x" in juliet.bodies(f"?before={stamp + 1}")
    for nothing in (0, -1, -(10**30)):
        assert juliet.shown(f"?before={nothing}") == []
    for far in (stamp + 10**9, 10**18, 10**30):
        assert "x" in juliet.bodies(f"?before={far}")


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("?kuropatwa", "Invalid query string"),
        ("?limit=5&with=x", "Invalid query string"),
        *((query, "Invalid limit") for query in ["?limit", "?limit=", "?limit=x", "?limit=1.5", "?limit=-1", "?limit=501"]),
        ("?limit=99999999999999999999999", "Invalid limit"),
        ("?before=x", "Invalid value of 'before'"),
        ("?before", "Invalid value of 'before'"),
    ],
)
def test_queries_that_are_refused(juliet: Room, query: str, text: str) -> None:
    assert refused(juliet.get(query)) == (400, text)


def test_the_stanza_beside_its_json(juliet: Room) -> None:
    identifier = juliet.say("x")
    response = juliet.get(Prefer="xml")
    assert response.headers["Preference-Applied"] == "xml"
    item = response.get_json()[-1]
    stanza = parse_text(item.pop("xml"))
    assert (stanza.get("from"), stanza.get("id"), stanza.findtext("body")) == (f"{ROOM}/{JULIET}", identifier, "x")
    assert item == juliet.shown()[-1]


# hearing


def listen(gateway: Gateway, user: str) -> Stream:
    return gateway.parts.streams.open(parse_jid(user), wanted=is_shown)


def heard(stream: Stream, unit: str = "us") -> list[dict[str, Any]]:
    """The data of the events up to now, without what is not shown."""
    writer = EventWriter(unit, f"muclight.{DOMAIN}", counted=True, xml=False)
    data = []
    while (event := stream.next(0.05)) is not None:
        text = writer.write(event)
        if text is not None:
            lines = dict(line.split(": ", 1) for line in text.decode().splitlines() if line)
            assert lines["event"] == "room.message"
            data.append(json.loads(lines["data"]))
    return data


def test_everybody_in_the_room_hears_it_the_sender_too(juliet: Room, gateway: Gateway) -> None:
    streams = {user: listen(gateway, user) for user in (JULIET, NURSE)}
    identifier = juliet.say("x", markable=True)
    (item,) = juliet.shown()[1:]
    for stream in streams.values():
        (event,) = heard(stream)
        assert event.pop("timestamp") // 1000 == item["timestamp"]
        assert event == {"type": "message", "room": "garden", "from": JULIET, "id": identifier, "body": "x", "markable": True}


def test_who_hears_of_which_change(juliet: Room, gateway: Gateway) -> None:
    streams = {user: listen(gateway, user) for user in (JULIET, NURSE, f"admin@{DOMAIN}")}
    juliet.done("POST", "/garden/users", {"user": f"admin@{DOMAIN}"})
    juliet.done("DELETE", f"/garden/users/{NURSE}")
    juliet.done("PUT", "/garden/config", {"name": "n", "subject": "s"})
    events = {user: [(e["user"], e["affiliation"]) for e in heard(stream)] for user, stream in streams.items()}
    added, removed = (f"admin@{DOMAIN}", "member"), (NURSE, "none")
    assert events == {JULIET: [added, removed], NURSE: [added, removed], f"admin@{DOMAIN}": [added, removed]}


def test_making_a_room_is_silent(juliet: Room, gateway: Gateway) -> None:
    streams = {user: listen(gateway, user) for user in (JULIET, NURSE)}
    response = juliet.client.put("/api/rooms/orchard", headers=juliet.headers, json=CLUB | {"participants": [NURSE]})
    assert response.status_code == 201
    assert heard(streams[JULIET]) == []
    (event,) = heard(streams[NURSE])
    assert (event["room"], event["user"], event["affiliation"], "changes" in event) == ("orchard", NURSE, "member", False)


def test_who_stays_hears_who_owns_the_room_now(juliet: Room, gateway: Gateway) -> None:
    juliet.done("POST", "/garden/users", {"user": f"admin@{DOMAIN}"})
    streams = {user: listen(gateway, user) for user in (JULIET, NURSE)}
    juliet.done("DELETE", f"/garden/users/{JULIET}")
    (left,), (stayed,) = heard(streams[JULIET]), heard(streams[NURSE])
    assert (left["user"], left["affiliation"], "changes" in left) == (JULIET, "none", False)
    assert (stayed["user"], stayed["affiliation"]) == (f"admin@{DOMAIN}", "owner")
    assert len(stayed["changes"]) == 2


def test_events_have_the_order_of_the_archive(app: Flask, juliet: Room, gateway: Gateway) -> None:
    streams = [listen(gateway, user) for user in (JULIET, NURSE)]

    def speak(user: str) -> None:
        api = Room(app, user)
        for n in range(15):
            api.say(f"{user} {n}")

    in_threads(speak, (JULIET, NURSE) * 2)
    kept = [item["id"] for item in juliet.shown("?limit=500")[1:]]
    assert len(kept) == len(set(kept)) == 60
    for stream in streams:
        assert [event["id"] for event in heard(stream)] == kept


# generation 3


def test_the_old_generation(make_app: MakeApp) -> None:
    juliet = Room(register_users(make_app(client_generation="3")), JULIET)
    juliet.create("garden")
    for body, text in [
        ("{", "Request body is not a valid JSON"),
        ('{"body": 5}', "Invalid body, it must be a string"),
        ("{}", "No valid message elements"),
        ('{"chat_marker": 5}', "Invalid marker, it must be 'received', 'displayed' or 'acknowledged'"),
    ]:
        response = juliet.post(data=body, content_type="application/json")
        assert (response.status_code, response.mimetype, response.text) == (400, "text/plain", text)
    for method in ("GET", "POST"):
        response = juliet.client.open("/api/rooms/@invalid/messages", method=method, json={}, headers=juliet.headers)
        assert (response.status_code, response.mimetype, response.text) == (400, "text/plain", "invalid_room_id")
    juliet.say("x")
    assert juliet.bodies("?limit=501&kuropatwa") == ["x"]
    limit = juliet.get("?limit=x")
    assert (limit.status_code, limit.data) == (400, b"")
    missing = juliet.client.get("/api/rooms/orchard/messages", headers=juliet.headers)
    assert (missing.status_code, missing.data) == (404, b"")
