"""Sending requests of an account, and with a token, are limited, and the answers tell so (hooks §18)."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, TOKEN, MakeApp, basic, register_users
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid

MESSAGE = {"to": f"nurse@{DOMAIN}", "body": "x"}


@pytest.fixture
def client(make_app: MakeApp) -> FlaskClient:
    return register_users(make_app(limits_account="3", limits_token="2")).test_client()


def send(client: FlaskClient, who: str = "juliet", **fields: str) -> int:
    return client.post("/rest", json=MESSAGE, headers=basic(who) | {n.replace("_", "-"): v for n, v in fields.items()}).status_code


def token(client: FlaskClient) -> dict[str, str]:
    gateway: Gateway = client.application.extensions["gateway"]
    return {"Authorization": f"Bearer {gateway.parts.tokens.issue(parse_jid(f'juliet@{DOMAIN}'), ['sasl_auth'], 60)}"}


def test_the_account_has_so_many_and_then_429(client: FlaskClient) -> None:
    answers = [client.post("/rest", json=MESSAGE, headers=basic("juliet")) for _ in range(4)]
    assert [a.status_code for a in answers] == [202, 202, 202, 429]
    assert answers[0].headers["RateLimit-Policy"] == '"account";q=3;w=60'
    assert [a.headers["RateLimit"].partition(";t=")[0] for a in answers] == [f'"account";r={n}' for n in (2, 1, 0, 0)]
    assert 1 <= int(answers[3].headers["Retry-After"]) <= 20
    assert answers[3].json is not None
    assert answers[3].json["error"]["condition"] == "policy-violation"
    assert send(client, "nurse") == 202


def test_what_counts_and_what_does_not(client: FlaskClient) -> None:
    me = basic("juliet")
    assert client.post("/rest", data=b"<x", headers=me | {"Content-Type": "image/png"}).status_code == 415
    assert client.post("/rest", json=MESSAGE, headers=basic("juliet", "wrong")).status_code == 403
    assert client.get(f"/rest/ping/{DOMAIN}", headers=me).status_code == 200
    assert client.post("/rest/echo", json=MESSAGE, headers=me).status_code == 200
    lines = "".join('{"to":"nurse@capulet.example","body":"x"}\n' for _ in range(5))
    batch = client.post("/rest", data=lines, headers=me | {"Content-Type": "application/x-ndjson"})
    assert (batch.status_code, batch.headers["RateLimit"][:13]) == (200, '"account";r=2')
    unreadable = client.post("/rest", data=b"{", headers=me | {"Content-Type": "application/json"})
    assert (unreadable.status_code, unreadable.headers["RateLimit"][:13]) == (400, '"account";r=1')
    assert send(client, Delay="1h") == 202
    assert send(client, Delay="1h") == 429
    assert client.post("/rest", data=lines, headers=me | {"Content-Type": "application/x-ndjson"}).status_code == 429


def test_a_repetition_costs_nothing(client: FlaskClient) -> None:
    answers = [client.post("/rest", json=MESSAGE, headers=basic("juliet") | {"Idempotency-Key": "k"}) for _ in range(5)]
    assert {a.status_code for a in answers} == {202}
    assert {a.headers["RateLimit"][:13] for a in answers} == {'"account";r=2'}
    assert {len(a.headers.getlist("RateLimit")) for a in answers} == {1}
    assert [send(client), send(client), send(client, Idempotency_Key="new"), send(client, Idempotency_Key="k")] == [202, 202, 429, 202]


def test_a_token_has_a_limit_of_its_own(client: FlaskClient) -> None:
    one, other = token(client), token(client)
    answers = [client.post("/rest", json=MESSAGE, headers=one) for _ in range(3)]
    assert [a.status_code for a in answers] == [202, 202, 429]
    assert answers[2].headers["RateLimit-Policy"] == '"token";q=2;w=60'
    assert [client.post("/rest", json=MESSAGE, headers=other).status_code for _ in range(2)] == [202, 429]  # the account has three
    assert one["Authorization"][7:] not in str(answers[2].headers) + answers[2].text


def test_the_component_has_none(client: FlaskClient) -> None:
    answers = [client.post("/rest", json=MESSAGE, headers={"Authorization": TOKEN}) for _ in range(5)]
    assert {a.status_code for a in answers} == {202}
    assert "RateLimit" not in answers[0].headers


def test_without_limits_nothing_is_told(make_app: MakeApp) -> None:
    client = register_users(make_app()).test_client()
    assert "RateLimit" not in client.post("/rest", json=MESSAGE, headers=basic("juliet")).headers
