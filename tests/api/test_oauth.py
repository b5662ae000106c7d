"""/oauth/token issues tokens for passwords, and answers errors as RFC 6749 §5 says (RFC 6749 §4.3, RFC 7009)."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, PASSWORD, MakeApp, basic
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid

APP = {"client_id": "page", "client_secret": "pencil"}
FORM = {"grant_type": "password", "username": f"juliet@{DOMAIN}", "password": PASSWORD, **APP}
ADMIN = basic(f"admin@{DOMAIN}")
NOBODY = {"client_id": None, "client_secret": None}


def register(client: FlaskClient) -> FlaskClient:
    """Register the client of FORM, as an administrator does."""
    added = {"client_id": APP["client_id"], "client_name": "The Page", "secret": APP["client_secret"]}
    assert client.post("/api/oauth_add_client_password", json=added, headers=ADMIN).get_json() == ""
    return client


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return register(app.test_client())


def ask(client: FlaskClient, headers: dict[str, str] | None = None, **change: Any) -> tuple[int, Any]:
    form = {k: v for k, v in (FORM | change).items() if v is not None}
    response = client.post("/oauth/token", data=form, headers=headers)
    assert (response.headers["Cache-Control"], response.headers["Pragma"]) == ("no-store", "no-cache")
    assert response.content_type == "application/json"
    return response.status_code, response.get_json()


def test_a_token_acts_as_the_account(client: FlaskClient) -> None:
    status, body = ask(client)
    assert status == 200
    assert body | {"access_token": ""} == {"access_token": "", "token_type": "bearer", "expires_in": 3600, "scope": "sasl_auth"}
    headers = {"Authorization": f"Bearer {body['access_token']}"}
    assert client.get("/api/contacts", headers=headers).status_code == 200
    assert client.post("/oauth/revoke", data={"token": body["access_token"]}).status_code == 200
    assert client.get("/api/contacts", headers=headers).status_code == 401
    assert client.post("/oauth/revoke", data={"token": body["access_token"]}).status_code == 200


def test_an_administrators_token_runs_commands(client: FlaskClient) -> None:
    status, body = ask(client, username=f"ADMIN@{DOMAIN}/x", scope="ejabberd:admin registered_users", ttl="60")
    assert (status, body["scope"], body["expires_in"]) == (200, "ejabberd:admin registered_users", 60)
    headers = {"Authorization": f"Bearer {body['access_token']}"}
    assert client.post("/api/registered_vhosts", data="{}", headers=headers).get_json() == [DOMAIN]


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"grant_type": None}, 400, "invalid_request"),
        ({"grant_type": "client_credentials"}, 400, "unsupported_grant_type"),
        ({"username": None}, 400, "invalid_request"),
        ({"password": None}, 400, "invalid_request"),
        ({"password": ""}, 400, "invalid_request"),
        ({"username": ["a", "b"]}, 400, "invalid_request"),
        ({"password": "wrong"}, 400, "invalid_grant"),
        ({"username": f"nobody@{DOMAIN}"}, 400, "invalid_grant"),
        ({"username": "romeo@montague.example"}, 400, "invalid_grant"),
        ({"username": "@@"}, 400, "invalid_grant"),
        ({"scope": "ejabberd:admin"}, 400, "invalid_scope"),
        ({"scope": 'sasl_auth "x'}, 400, "invalid_scope"),
        ({"scope": "send:"}, 400, "invalid_scope"),
        ({"ttl": "soon"}, 400, "invalid_request"),
        ({"ttl": "0"}, 400, "invalid_request"),
        (NOBODY, 401, "invalid_client"),
        ({"client_id": "app"}, 401, "invalid_client"),
        ({"client_secret": None}, 401, "invalid_client"),
        ({"client_id": "app", "client_secret": "x"}, 401, "invalid_client"),
        ({"username": "juliet"}, 200, None),
        ({"ttl": "999999999999"}, 200, None),
        ({"scope": "send:nurse@* get_roster"}, 200, None),
        ({"unknown": "x"}, 200, None),
        ({"scope": "ejabberd:user,sasl_auth", "ttl": "31536000"}, 200, None),
        ({"padding": "x" * 20_000}, 413, "invalid_request"),
    ],
)
def test_forms(client: FlaskClient, change: dict[str, Any], status: int, error: str | None) -> None:
    got, body = ask(client, **change)
    assert (got, body.get("error")) == (status, error), body
    assert (error is None) == ("access_token" in body)
    assert all(" " <= c <= "~" and c not in '"\\' for c in body.get("error_description", ""))


def test_other_methods_and_bodies(client: FlaskClient) -> None:
    assert client.get("/oauth/token").status_code == 405
    assert client.post("/oauth/token", json=FORM).status_code == 415
    assert client.post("/oauth/revoke", data={"token_type_hint": "x"}).get_json()["error"] == "invalid_request"
    assert client.post("/oauth/revoke", data={"token": "unknown"}).status_code == 200


def test_registered_clients(client: FlaskClient, gateway: Gateway) -> None:
    added = {"client_id": "app", "client_name": "The App", "secret": "s3cret"}
    assert client.post("/api/oauth_add_client_password", json=added, headers=ADMIN).get_json() == ""
    assert ask(client, client_id="app", client_secret="s3cret")[0] == 200
    assert ask(client, basic("app", "s3cret"), **NOBODY)[0] == 200
    assert ask(client, basic("app", "wrong"), **NOBODY)[0] == 401
    assert ask(client, {"Authorization": "Bearer x"}, **NOBODY)[0] == 401
    assert "s3cret" not in str(gateway.driver.load(None, DOMAIN, "oauth_client"))
    assert client.post("/api/oauth_remove_client", json={"client_id": "app"}, headers=ADMIN).get_json() == ""
    assert ask(client, client_id="app", client_secret="s3cret")[0] == 401
    assert client.post("/api/oauth_add_client_password", json=added | {"secret": ""}, headers=ADMIN).status_code == 400


def test_wrong_passwords_are_counted(make_app: MakeApp) -> None:
    client = register(make_app(auth_failures="2").test_client())
    statuses = [client.post("/oauth/token", data=FORM | {"password": "wrong"}) for _ in range(3)]
    assert [r.status_code for r in statuses] == [400, 400, 429]
    assert int(statuses[2].headers["Retry-After"]) > 0


def test_the_time_is_bounded(make_app: MakeApp) -> None:
    client = register(make_app(oauth_expire="100", oauth_expire_max="900").test_client())
    form = FORM | {"username": f"admin@{DOMAIN}"}
    answers = [client.post("/oauth/token", data=form | ttl).get_json()["expires_in"] for ttl in ({}, {"ttl": "1000"}, {"ttl": "50"})]
    assert answers == [100, 900, 50]


def test_secrets_are_not_logged(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    _, body = ask(client)
    ask(client, password="top-secret", client_secret="also-secret")
    text = caplog.text
    assert "command account=juliet@capulet.example address=127.0.0.1 command=oauth/token " in text
    assert not any(secret in text for secret in (PASSWORD, body["access_token"], "top-secret", "also-secret"))


@pytest.mark.parametrize(
    ("check", "change", "status"),
    [
        ("db", {}, 200),
        ("db", NOBODY, 401),
        ("db", {"client_id": "page", "client_secret": "wrong"}, 401),
        ("db", {"client_id": "unknown", "client_secret": "pencil"}, 401),
        ("db", {"client_id": "implicit", "client_secret": None}, 401),
        ("allow", NOBODY, 200),
        ("allow", {}, 200),
        ("allow", {"client_id": "unknown", "client_secret": "x"}, 200),
        ("deny", {}, 401),
        ("deny", NOBODY, 401),
    ],
)
def test_which_clients_get_a_token(make_app: MakeApp, check: str, change: dict[str, Any], status: int) -> None:
    client = register(make_app(oauth_client_check=check).test_client())
    implicit = {"client_id": "implicit", "client_name": "A Page", "redirect_uri": "https://page.example/back"}
    assert client.post("/api/oauth_add_client_implicit", json=implicit, headers=ADMIN).get_json() == ""
    got, body = ask(client, username=f"admin@{DOMAIN}", **change)
    assert (got, body.get("error")) == (status, None if status == 200 else "invalid_client")
    if status == 200:  # and a right client does not open an account with a wrong password
        assert ask(client, username=f"admin@{DOMAIN}", **change, password="wrong")[1]["error"] == "invalid_grant"


@pytest.mark.parametrize(("check", "status"), [("db", 200), ("allow", 200), ("deny", 400)])
def test_pages_are_registered_whatever_is_set(make_app: MakeApp, check: str, status: int) -> None:
    client = make_app(oauth_client_check=check).test_client()
    implicit = {"client_id": "implicit", "client_name": "A Page", "redirect_uri": "https://page.example/back"}
    client.post("/api/oauth_add_client_implicit", json=implicit, headers=ADMIN)
    asked = {"response_type": "token", "client_id": "implicit"}
    assert client.get("/oauth/authorization_token", query_string=asked).status_code == status
    assert client.get("/oauth/authorization_token", query_string=asked | {"client_id": "other"}).status_code == 400


@pytest.mark.parametrize("check", ["db", "allow", "deny"])
def test_whoever_has_a_token_ends_it(make_app: MakeApp, check: str) -> None:
    app = make_app(oauth_client_check=check)
    app.extensions["gateway"].prepare()
    token = app.extensions["gateway"].parts.tokens.issue(parse_jid(f"admin@{DOMAIN}"), ["sasl_auth"], 60)
    fields = {"Authorization": f"Bearer {token}"}
    client = app.test_client()
    assert client.get("/api/contacts", headers=fields).status_code == 200
    assert client.post("/oauth/revoke", data={"token": token}).status_code == 200
    assert client.get("/api/contacts", headers=fields).status_code == 401


def test_wrong_secrets_are_counted_and_the_right_one_passes(make_app: MakeApp) -> None:
    client = register(make_app(auth_failures="2").test_client())
    form = FORM | {"username": f"admin@{DOMAIN}"}
    statuses = [client.post("/oauth/token", data=form | {"client_secret": "wrong"}).status_code for _ in range(3)]
    assert statuses == [401, 401, 429]
    assert client.post("/oauth/token", data=form).status_code == 200


CONSOLE = {"client_id": "xmpp-rest-console", "client_secret": None, "scope": "sasl_auth", "ttl": "3600"}
OWN = {"Origin": "http://localhost"}


@pytest.mark.parametrize(
    ("headers", "change", "status"),
    [
        (OWN, {}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://else.example"}, {}, 200),
        ({}, {}, 401),
        ({"Sec-Fetch-Site": "same-site", **OWN}, {}, 401),
        ({"Origin": "http://else.example"}, {}, 401),
        ({"Origin": "null"}, {}, 401),
        (OWN, {"scope": "ejabberd:admin", "username": f"admin@{DOMAIN}"}, 401),
        (OWN, {"scope": None}, 401),
        (OWN, {"ttl": "31536000"}, 401),
        (OWN, {"ttl": None}, 401),
        (OWN, {"client_secret": "x"}, 401),
        (OWN | basic("x"), {}, 401),
        (OWN, {"password": "wrong"}, 400),
    ],
)
def test_the_console_needs_no_registration(client: FlaskClient, headers: dict[str, str], change: dict[str, Any], status: int) -> None:
    """A page of this gateway, for the scope of an account alone."""
    assert ask(client, headers, **(CONSOLE | change))[0] == status


@pytest.mark.parametrize(("given", "status"), [({"pages_console": "no"}, 401), ({"oauth_client_check": "deny"}, 401), ({"oauth_client_check": "allow"}, 400)])
def test_settings_shut_the_console_out(make_app: MakeApp, given: dict[str, str], status: int) -> None:
    answer, body = ask(make_app(**given).test_client(), OWN, **CONSOLE)  # nobody has this account here
    assert (answer, body["error"]) == (status, "invalid_client" if status == 401 else "invalid_grant")
