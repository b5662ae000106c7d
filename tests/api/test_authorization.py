"""A page gets a token only from the user (RFC 6749 §4.2; commands-api §13)."""

from __future__ import annotations

import logging
import re
from typing import Any
from urllib.parse import parse_qsl

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from drivers import StorageError
from tests.conftest import DOMAIN, PASSWORD, SHARED, MakeApp, basic
from tests.raising import raising
from xmpp_rest.gateway.gateway import Gateway

ADMIN = basic(f"admin@{DOMAIN}")
BACK = "https://app.verona.example/back?from=gateway"
CLIENT = {"client_id": "verona", "client_name": "Verona <Times>", "redirect_uri": BACK}
LINK = {"response_type": "token", "client_id": "verona", "redirect_uri": BACK, "scope": "sasl_auth", "state": 'x"&y'}
FORM = LINK | {"username": f"juliet@{DOMAIN}", "password": PASSWORD, "ttl": "86400"}
PATH = "/oauth/authorization_token"


def register(client: FlaskClient, **change: str) -> tuple[int, Any]:
    response = client.post("/api/oauth_add_client_implicit", json=CLIENT | change, headers=ADMIN)
    return response.status_code, response.get_json()


def fields(given: dict[str, str], change: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in (given | change).items() if v is not None}


def show(client: FlaskClient, **change: Any) -> TestResponse:
    return client.get(PATH, query_string=fields(LINK, change))


def fill(client: FlaskClient, **change: Any) -> TestResponse:
    return client.post(PATH, data=fields(FORM, change))


def fragment(response: TestResponse) -> dict[str, str]:
    assert (response.status_code, response.headers["Cache-Control"]) == (303, "no-store")
    back, _, rest = response.headers["Location"].partition("#")
    assert back == BACK
    return dict(parse_qsl(rest))


@pytest.fixture
def verona(client: FlaskClient) -> FlaskClient:
    assert register(client) == (200, "")
    return client


def test_a_page_gets_a_token(verona: FlaskClient) -> None:
    page = show(verona)
    assert (page.status_code, page.content_type) == (200, "text/html; charset=utf-8")
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
    assert hidden == LINK | {"state": "x&quot;&amp;y"}
    assert "Verona &lt;Times&gt;" in page.text
    got = fragment(fill(verona))
    assert got | {"access_token": ""} == {
        "access_token": "", "token_type": "bearer", "expires_in": "86400", "scope": "sasl_auth", "state": LINK["state"],
    }  # fmt: skip
    assert verona.get("/api/contacts", headers={"Authorization": f"Bearer {got['access_token']}"}).status_code == 200


def test_the_page_is_locked_up(verona: FlaskClient) -> None:
    headers = show(verona).headers
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "form-action 'self' https://app.verona.example;" in headers["Content-Security-Policy"]


@pytest.mark.parametrize("state", ["x" * 1024, "é" * 200])
def test_a_state_that_no_header_should_hold(verona: FlaskClient, state: str) -> None:
    for answer in (show(verona, state=state), fill(verona, state=state)):
        assert (answer.status_code, "Location" in answer.headers) == (400, False)
        assert "state" in answer.text
    assert fragment(fill(verona, state="x" * 1023))["state"] == "x" * 1023


def test_what_may_be_left_away(verona: FlaskClient) -> None:
    got = fragment(fill(verona, redirect_uri=None, scope=None, state=None, ttl=None))
    assert (got["scope"], got["expires_in"], "state" in got) == ("sasl_auth", "3600", False)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"client_id": "mantua"}, "unauthorized_client"),
        ({"client_id": None}, "unauthorized_client"),
        ({"redirect_uri": "https://mantua.example/"}, "invalid_request"),
        ({"redirect_uri": BACK + "&x"}, "invalid_request"),
        ({"redirect_uri": [BACK, BACK]}, "invalid_request"),
    ],
)
def test_nobody_is_sent_to_who_is_not_registered(verona: FlaskClient, change: dict[str, Any], error: str) -> None:
    for response in (show(verona, **change), fill(verona, **change)):
        assert (response.status_code, response.get_json()["error"]) == (400, error)
        assert "Location" not in response.headers


def test_clients_of_the_password_grant_are_no_pages(verona: FlaskClient) -> None:
    added = {"client_id": "script", "client_name": "", "secret": "s3cret"}
    assert verona.post("/api/oauth_add_client_password", json=added, headers=ADMIN).get_json() == ""
    assert show(verona, client_id="script").get_json()["error"] == "unauthorized_client"
    form = {"grant_type": "password", "username": "juliet", "password": PASSWORD, "client_id": "verona", "client_secret": ""}
    assert verona.post("/oauth/token", data=form).get_json()["error"] == "invalid_client"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"response_type": "code"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"scope": "ejabberd:admin"}, "invalid_scope"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"ttl": "soon"}, "invalid_request"),
        ({"password": None}, "invalid_request"),
    ],
)
def test_the_page_hears_of_its_mistakes(verona: FlaskClient, change: dict[str, Any], error: str) -> None:
    got = fragment(fill(verona, **change))
    assert (got["error"], got["state"], "access_token" in got) == (error, LINK["state"], False)


def test_the_link_is_looked_at_first(verona: FlaskClient) -> None:
    assert fragment(show(verona, response_type="code"))["error"] == "unsupported_response_type"


@pytest.mark.parametrize("change", [{"password": "wrong"}, {"username": "nobody"}, {"username": "@@"}, {"username": '"><script>'}])
def test_the_user_hears_of_a_wrong_password(verona: FlaskClient, change: dict[str, str]) -> None:
    page = fill(verona, **change)
    assert (page.status_code, "Location" in page.headers) == (400, False)
    assert 'role="alert"></p>' not in page.text
    assert PASSWORD not in page.text
    assert "<script>" not in page.text


def test_wrong_passwords_are_counted(make_app: MakeApp) -> None:
    client = make_app(auth_failures="1").test_client()
    register(client)
    pages = [fill(client, password="wrong") for _ in range(2)]
    assert [page.status_code for page in pages] == [400, 429]
    assert pages[1].headers["Retry-After"]


def test_a_storage_that_fails(verona: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway.driver, "store", raising(StorageError("full")))
    assert fill(verona).status_code == 503


def test_an_administrator_may_give_that_right(verona: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "xmpp_rest.audit")
    got = fragment(fill(verona, username="admin", scope="ejabberd:admin"))
    headers = {"Authorization": f"Bearer {got['access_token']}"}
    assert verona.post("/api/registered_vhosts", data="{}", headers=headers).get_json() == [DOMAIN]
    assert "oauth/authorization_token" in caplog.text
    assert got["access_token"] not in caplog.text
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize(
    "uri",
    [
        "http://localhost:8000/", "http://127.0.0.1/", "http://127.9.8.7:1/x", "http://[::1]:8000/", "https://[::1]:8443/x?y=z",
        "https://app.example/", "com.example.app:/back", "example.verona://back", "net.example.a-b+c:x",
    ],
)  # fmt: skip
def test_uris_to_be_sent_back_to(client: FlaskClient, uri: str) -> None:
    assert register(client, redirect_uri=uri) == (200, "")
    assert show(client, redirect_uri=uri).status_code == 200


@SHARED
@pytest.mark.parametrize(
    "uri",
    [
        "feed:javascript:alert(1)", "view-source:https://a.example/", "filesystem:https://a.example/", "https://a.example:b/", "https://:443/",
        "https://a.example:99999/", "https://[zz]/", "https://a.example:443:1/", "https://a[::1]/",
        "http://app.example/", "http://127.0.0.1.evil.example/", "http://localhost.evil.example/", "http://128.0.0.1/", "http://[::2]/",
        "http://2130706433/", "myapp:/back", "app:x", "ftp://a.example/", "ws://localhost/", "file:///etc/passwd", "blob:https://a.example/x",
        "com.example.app:/back#x", "about:blank", ".app:/x", "com.:/x", "//a.example/", "intent://a#x", "mailto:a@b.c", "urn:ietf:wg:oauth:2.0:oob",
        "", "/back", "https://", "https:///x", "http:back", "javascript:alert(1)", "data:text/html,x", "https://a.example/#x", "https://a.example/ x",
        "https://a.example;script-src/", "https://juliet@a.example/", "https://a.example/\r\nX: y", "https://[a/", 'https://a.example/"', "https://ä.example",
    ],
)  # fmt: skip
def test_what_is_no_uri_to_be_sent_back_to(client: FlaskClient, uri: str) -> None:
    status, text = register(client, redirect_uri=uri)
    assert (status, isinstance(text, str)) == (400, True)
    assert show(client, redirect_uri=uri).status_code == 400


def test_nobody_is_sent_to_what_was_registered_when_more_was_taken(client: FlaskClient, gateway: Gateway) -> None:
    row = {"name": "x", "redirect_uri": "javascript:alert(1)"}
    gateway.driver.store(None, DOMAIN, "oauth_client", {"verona": row})
    for answer in (show(client, redirect_uri=row["redirect_uri"]), fill(client, redirect_uri=row["redirect_uri"])):
        assert (answer.status_code, "Location" in answer.headers) == (400, False)


def test_a_client_needs_a_name_and_can_go(verona: FlaskClient) -> None:
    assert register(verona, client_id="")[0] == 400
    assert verona.post("/api/oauth_remove_client", json={"client_id": "verona"}, headers=ADMIN).get_json() == ""
    assert show(verona).status_code == 400
