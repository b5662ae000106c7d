"""Files to rooms on other servers: which addresses are rooms, who may speak there, and what is told of it (files §2.2 to §2.4)."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from typing import Any, NoReturn

import pytest
from werkzeug.test import TestResponse

from tests.api.rest.rooms_elsewhere import JULIET, OCCUPANT, Elsewhere
from tests.conftest import MakeApp
from tests.link.attached import until
from tests.link.network import Network
from tests.service.rooms.scripted import ROOM
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.namespaces import STANZA_ID

PNG = b"\x89PNG" + b"x" * 100


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network()
    yield network
    network.server.close()


@pytest.fixture
def elsewhere(make_app: MakeApp, network: Network) -> Iterator[Elsewhere]:
    elsewhere = Elsewhere(make_app, network)
    yield elsewhere
    elsewhere.stop()


def post(elsewhere: Elsewhere, query: Any, fields: dict[str, str] | None = None) -> TestResponse:
    headers = JULIET | {"Content-Type": "image/png"} | (fields or {})
    return elsewhere.client.post("/rest/files", data=PNG, query_string=query, headers=headers)


def test_a_room_is_known_by_what_it_says_of_itself(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    answer = post(elsewhere, {"to": ROOM, "caption": "Look", "nick": "Jules"})
    assert answer.status_code == 201, answer.text
    (one,) = answer.get_json()["messages"]
    assert (one["to"], one["type"], one["outcome"]) == (ROOM, "groupchat", "accepted")
    until(lambda: elsewhere.outcome(one["id"])["state"] == "reflected")
    caption, file = elsewhere.messages
    assert [m.findtext("body") for m in (caption, file)] == ["Look", answer.get_json()["url"]]
    assert [m.get("id") for m in (caption, file)] == [one["caption_id"], one["id"]]
    for message in (caption, file):
        assert (message.get("from"), message.get("type")) == (OCCUPANT, "groupchat")
        assert [e.get("id") for e in message.iterfind(f"{{{STANZA_ID}}}origin-id")] == [message.get("id")]
    (join,) = elsewhere.presences()
    assert str(join.get("to")).endswith("/Jules")


def test_with_wait_it_is_told_as_the_room_shows_it(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    answer = post(elsewhere, [("to", ROOM), ("to", "nobody@montague.example/x"), ("caption", "Hi")], {"Prefer": "wait=20"})
    assert answer.headers["Preference-Applied"] == "wait=20"
    room, person = answer.get_json()["messages"]
    assert (room["outcome"], room["stanza_id"], person["type"]) == ("reflected", None, "chat")
    assert person["outcome"] in ("accepted", "refused")
    assert elsewhere.bodies == ["Hi", answer.get_json()["url"]]


def test_a_wait_takes_one_place_of_the_account(make_app: MakeApp, network: Network) -> None:
    elsewhere = Elsewhere(partial(make_app, server_waits_per_account="1"), network)
    elsewhere.start()
    answer = post(elsewhere, {"to": ROOM, "caption": "Hi"}, {"Prefer": "wait=20"})
    assert answer.status_code == 201, answer.text
    (one,) = answer.get_json()["messages"]
    assert one["outcome"] == "reflected"
    elsewhere.stop()


def test_a_file_stays_that_somebody_was_told_of(elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere.start()
    assert elsewhere.gateway is not None

    def gone(*_: object, **__: object) -> NoReturn:
        raise GatewayError("unanswered")

    monkeypatch.setattr(elsewhere.gateway.parts.speaking, "begin_and_wait", lambda *_, **__: gone)
    answer = post(elsewhere, [("to", ROOM), ("to", "nobody@montague.example/x")], {"Prefer": "wait=1"})
    assert answer.status_code == 201, answer.text
    room, _ = answer.get_json()["messages"]
    assert (room["outcome"], room["code"]) == ("error", 500)
    path = "/" + answer.get_json()["url"].split("/", 3)[3]
    assert elsewhere.client.get(path).data == PNG


def test_what_is_not_shown_in_time_is_an_error(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    elsewhere.room.rules["message"] = lambda _: ""
    answer = post(elsewhere, {"to": ROOM}, {"Prefer": "wait=1"})
    assert answer.status_code == 201
    (one,) = answer.get_json()["messages"]
    assert (one["outcome"], one["code"], one["error"]["condition"]) == ("error", 504, "remote-server-timeout")
    assert one["id"] in one["error"]["text"]
    elsewhere.room.rules["message"] = lambda _: "policy-violation"
    (one,) = post(elsewhere, {"to": ROOM}, {"Prefer": "wait=20"}).get_json()["messages"]
    assert (one["outcome"], one["code"], one["error"]["condition"]) == ("error", 403, "policy-violation")


def test_who_may_not_speak_hears_it_before_the_body_is_read(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    elsewhere.room.rules["join"] = lambda _: "forbidden"

    class Unread(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            raise AssertionError("the body was read")

    environ = {"wsgi.input": Unread(), "CONTENT_LENGTH": "1000000"}
    answer = elsewhere.client.post("/rest/files", query_string={"to": ROOM}, headers=JULIET, environ_overrides=environ)
    assert answer.status_code == 403, answer.text
    problem = answer.get_json()
    assert (problem["condition"], problem["to"], answer.mimetype) == ("forbidden", ROOM, "application/problem+json")
    assert elsewhere.client.get("/rest/files", headers=JULIET).get_json()["used"] == 0


def test_one_of_two_is_refused(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    elsewhere.room.rules["join"] = lambda _: "registration-required"
    answer = post(elsewhere, [("to", ROOM), ("to", "romeo@montague.example/x"), ("type", "groupchat")])
    assert answer.status_code == 201, answer.text
    room, _ = answer.get_json()["messages"]
    assert (room["outcome"], room["code"], room["error"]["condition"]) == ("error", 403, "registration-required")
    assert elsewhere.messages == []
