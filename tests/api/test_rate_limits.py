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


PNG = {"Content-Type": "image/png"}
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("path", "body", "fields", "status"),
    [
        ("/rest", b"x", PNG, 415),
        pytest.param("/rest", b"x" * 2_000_000, JSON, 413, id="too large"),
        ("/rest/message/chat/" + NURSE, b"x", PNG, 415),
        ("/rest", b'{"to":"nurse@localhost","body":"x"}', JSON | {"Idempotency-Key": "x" * 300}, 400),
        ("/rest", b'{"to":["a@b","b@c"' + b',"c@d"' * 99 + b'],"body":"x"}', JSON, 413),
        ("/msg/nurse", b"x", PNG, 415),
        ("/ntfy/nurse", b"x", {"X-Priority": "9"}, 400),
        ("/api/messages", b"x", PNG, 415),
        ("/api/messages", b"{}", JSON, 400),
    ],
)
def test_what_costs_nothing_tells_too(client: FlaskClient, path: str, body: bytes, fields: dict[str, str], status: int) -> None:
    who = basic(JULIET)
    answer = client.post(path, data=body, headers=who | fields)
    told = (answer.status_code, answer.headers.getlist("RateLimit"), answer.headers.getlist("RateLimit-Policy"))
    assert told == (status, ['"account";r=2;t=0'], ['"account";q=2;w=60'])
    assert "Retry-After" not in answer.headers


def test_what_sends_nothing_tells_nothing(client: FlaskClient) -> None:
    who = basic(JULIET)
    answers = [
        client.post("/rest/echo", json=MESSAGE, headers=who),
        client.get("/rest/ping/" + DOMAIN, headers=who),
        client.get("/api/messages", headers=who),
        client.options("/rest"),
        client.post("/rest", json=MESSAGE, headers=basic(JULIET, "wrong")),
        client.post("/api/status", json={}, headers=basic(f"admin@{DOMAIN}")),
    ]
    assert [a.status_code for a in answers] == [200, 200, 200, 200, 403, 200]
    assert ["RateLimit" in a.headers for a in answers] == [False] * 6


def test_a_command_with_wrong_arguments_tells_too(client: FlaskClient) -> None:
    answer = client.post("/api/send_message", json={}, headers=basic(f"admin@{DOMAIN}"))
    assert (answer.status_code, answer.headers["RateLimit"]) == (400, '"account";r=2;t=0')


def test_what_is_refused_of_a_hook_at_ntfy_tells_too(client: FlaskClient) -> None:
    token = client.post("/hooks", json={"name": "ops", "secret": "12345678", "rate": 6}, headers=basic("juliet")).json["token"]  # type: ignore[index]
    answer = client.post(f"/ntfy/{token}", data=b"x")
    assert (answer.status_code, answer.headers["RateLimit"]) == (403, '"account";r=2;t=0')


def test_what_says_nothing_at_ntfy_counts_once(make_app: MakeApp) -> None:
    client = register_users(make_app(limits_hook="3")).test_client()
    token = client.post("/hooks", json={"name": "ops", "targets": [NURSE]}, headers=basic("juliet")).json["token"]  # type: ignore[index]
    for left, fields in ((2, {"Template": "alertmanager"}), (1, {"Template": "github", "In": "1h"}), (0, {})):
        answer = client.post(f"/ntfy/{token}", data=b"{}" if fields else b" ", headers=fields)
        assert (answer.status_code, answer.get_json()["message"]) == (200, "triggered")
        assert answer.headers["RateLimit"].startswith(f'"hook";r={left};')
    assert len(client.get("/rest/scheduled", headers=basic("juliet")).json["scheduled"]) == 1  # type: ignore[index]
