"""The limits of sending requests count in all APIs together (hooks §18)."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, MakeApp, basic, register_users

NURSE, JULIET = f"nurse@{DOMAIN}", f"juliet@{DOMAIN}"
MESSAGE = {"to": NURSE, "body": "x"}
CALL = {"type": "chat", "from": JULIET, "to": NURSE, "subject": "", "body": "x"}


@pytest.fixture
def client(make_app: MakeApp) -> FlaskClient:
    return register_users(make_app(limits_account="2")).test_client()


def test_messages_of_the_client_api(client: FlaskClient) -> None:
    me = basic(JULIET)
    assert client.post("/api/messages", data=b"{", headers=me | {"Content-Type": "application/json"}).status_code == 400
    answers = [client.post("/api/messages", json=MESSAGE, headers=me) for _ in range(3)]
    assert [a.status_code for a in answers] == [200, 200, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"account";q=2;w=60'
    assert int(answers[2].headers["Retry-After"]) >= 1
    assert client.get("/api/messages", headers=me).status_code == 200
    assert client.post("/rest", json=MESSAGE, headers=basic("juliet")).status_code == 429


def test_a_refused_one_tells_too(client: FlaskClient) -> None:
    answer = client.post("/api/messages", json={"to": NURSE}, headers=basic(JULIET))
    assert (answer.status_code, answer.headers["RateLimit"][:13]) == (400, '"account";r=1')


def test_rooms_of_the_client_api(make_app: MakeApp) -> None:
    client = register_users(make_app(limits_account="2", gateway_rooms_domain=f"rooms.{DOMAIN}")).test_client()
    room = client.post("/api/rooms", json={"name": "r", "subject": "s"}, headers=basic(JULIET)).json["id"]  # type: ignore[index]
    answers = [client.post(f"/api/rooms/{room}/messages", json={"body": "x"}, headers=basic(JULIET)) for _ in range(3)]
    assert [a.status_code for a in answers] == [200, 200, 429]


def test_commands(client: FlaskClient) -> None:
    admin = basic(f"admin@{DOMAIN}")
    assert client.post("/api/status", json={}, headers=admin).status_code == 200
    answers = [client.post("/api/send_message", json=CALL, headers=admin) for _ in range(3)]
    assert [a.status_code for a in answers] == [200, 200, 429]
    assert answers[1].headers["RateLimit"][:13] == '"account";r=0'
    assert answers[2].json == {"status": "error", "code": 0, "message": "Too many requests; Retry-After says when the next one is possible"}
    assert int(answers[2].headers["Retry-After"]) >= 1
    assert client.post("/api/status", json={}, headers=admin).status_code == 200


def test_a_batch_of_commands_is_one_request(client: FlaskClient) -> None:
    fields = basic(f"admin@{DOMAIN}") | {"Content-Type": "application/x-ndjson"}
    lines = '{"command":"status","arguments":{}}\n' * 5
    answers = [client.post("/api", data=lines, headers=fields) for _ in range(3)]
    assert [a.status_code for a in answers] == [200, 200, 429]
    assert answers[0].headers["RateLimit"][:13] == '"account";r=1'
