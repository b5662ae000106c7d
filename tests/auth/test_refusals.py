"""Credentials that are refused leave a line, at every API and at the token endpoint, with the reason and never with the secret."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, MakeApp, basic, register_users
from tests.logs.fields import fields
from xmpp_rest.auth.record import ACCOUNTS, BANNED
from xmpp_rest.auth.refusals import REASONS
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid

JULIET = f"juliet@{DOMAIN}"
SECRET = "s3cr3t-that-nobody-may-see"
APIS = [
    ("POST", "/rest", "rest"), ("GET", "/data/juliet/vcard", "data"), ("GET", "/api/messages", "client"), ("POST", "/api/status", "commands"),
    ("GET", "/status", "ops"), ("POST", "/oauth/revoke", "oauth"),
]  # fmt: skip


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    assert {record.levelname for record in caplog.records if getattr(record, "event", "") == "refused"} <= {"WARNING"}
    assert SECRET not in caplog.text
    assert base64.b64encode(SECRET.encode()).decode()[:16] not in caplog.text
    return fields(caplog, "refused")


@pytest.mark.parametrize(("method", "path", "api"), APIS)
def test_at_every_api(client: FlaskClient, caplog: pytest.LogCaptureFixture, method: str, path: str, api: str) -> None:
    given = basic(JULIET, SECRET) | {"X-Request-Id": "mine", "Content-Type": "application/x-www-form-urlencoded" if api == "oauth" else "application/json"}
    client.open(path, method=method, headers=given, data="token=x" if api == "oauth" else None, buffered=True)
    assert lines(caplog) == [{"account": JULIET, "address": "127.0.0.1", "api": api, "reason": "password", "request_id": "mine"}]
    assert caplog.text.count(f"warning xmpp_rest.auth refused account={JULIET} address=127.0.0.1 api={api} reason=password request_id=mine\n") == 1


@pytest.mark.parametrize(
    ("headers", "account", "reason"),
    [
        (basic(f"nobody@{DOMAIN}", SECRET), f"nobody@{DOMAIN}", "unknown-account"), (basic("juliet@other.example", SECRET), "juliet@other.example", "unknown-account"),
        (bearer(SECRET), None, "token"), ({"Authorization": f"Basic {SECRET}"}, None, "malformed"), ({"Authorization": f"Digest {SECRET}"}, None, "malformed"),
        ({"Authorization": f"Bearer {SECRET * 1000}"}, None, "malformed"), (basic("a b@c d", SECRET), "a b@c d", "malformed"),
        ({}, None, ""), (basic(JULIET), None, ""),
    ],
)  # fmt: skip
def test_reasons(client: FlaskClient, caplog: pytest.LogCaptureFixture, headers: dict[str, str], account: str | None, reason: str) -> None:
    client.get("/data/juliet/vcard", headers=headers, buffered=True)
    assert [(line["account"], line["reason"]) for line in lines(caplog)] == ([(account, reason)] if reason else [])


def test_all_reasons_are_known() -> None:
    assert REASONS == ("password", "unknown-account", "token", "banned", "throttled", "malformed", "elsewhere")


def test_a_banned_account(client: FlaskClient, gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    token = gateway.parts.tokens.issue(parse_jid(JULIET), ["ejabberd:user"], 3600)
    gateway.driver.update("juliet", DOMAIN, ACCOUNTS, lambda old: {**old, BANNED: True} if isinstance(old, dict) else None)
    for headers in (basic(JULIET), bearer(token)):
        client.get("/data/juliet/vcard", headers=headers, buffered=True)
    assert [(line["account"], line["reason"]) for line in lines(caplog)] == [(JULIET, "banned")] * 2
    assert token not in caplog.text


def test_too_many(make_app: MakeApp, caplog: pytest.LogCaptureFixture) -> None:
    client = register_users(make_app(auth_failures="1")).test_client()
    for _ in range(3):
        client.get("/data/juliet/vcard", headers=basic(JULIET, SECRET), buffered=True)
    assert [line["reason"] for line in lines(caplog)] == ["password", "throttled", "throttled"]
    for _ in range(3):
        client.get("/data/juliet/vcard", headers=bearer(SECRET), buffered=True)
    assert [line["reason"] for line in lines(caplog)][3:] == ["token", "throttled", "throttled"]


@pytest.mark.parametrize(
    ("username", "account", "reason"), [("juliet", JULIET, "password"), ("nobody", f"nobody@{DOMAIN}", "unknown-account"), ("a@b@c", "a@b@c", "malformed")]
)
def test_the_token_endpoint(make_app: MakeApp, caplog: pytest.LogCaptureFixture, username: str, account: str, reason: str) -> None:
    client = register_users(make_app(oauth_client_check="allow")).test_client()
    form = {"grant_type": "password", "username": username, "password": SECRET}
    assert client.post("/oauth/token", data=form, buffered=True).status_code == 400
    assert [(line["account"], line["reason"], line["api"]) for line in lines(caplog)] == [(account, reason, "oauth")]


@pytest.mark.parametrize("field", [f"Basic {SECRET}", f"Bearer {SECRET}", f"Digest {SECRET}", SECRET, "Basic /zp4"])
@pytest.mark.parametrize("form", [{"grant_type": "password", "username": "juliet", "password": SECRET}, {"token": SECRET}])
def test_credentials_of_a_client_that_cannot_be_read(client: FlaskClient, caplog: pytest.LogCaptureFixture, form: dict[str, str], field: str) -> None:
    path = "/oauth/token" if "grant_type" in form else "/oauth/revoke"
    assert client.post(path, data=form, headers={"Authorization": field}, buffered=True).status_code == 401
    assert [(line["account"], line["reason"], line["api"]) for line in lines(caplog)] == [(None, "malformed", "oauth")]


def test_what_a_client_names_ends_no_line(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    name = f"x\n2026-11-29 warning xmpp_rest.auth refused account=a address=192.0.2.1 api=rest reason=password {'y' * 500}"
    client.get("/data/juliet/vcard", headers=basic(name, SECRET), buffered=True)
    (line,) = lines(caplog)
    assert (line["account"], line["address"]) == (name[:256], "127.0.0.1")
    assert sum("refused" in text for text in caplog.text.splitlines()) == 1
