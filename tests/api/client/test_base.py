"""Routes, credentials, formats, errors and CORS follow the rules that all endpoints share (client-api §1)."""

from __future__ import annotations

import base64
import json

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.client.calls import JULIET, NURSE, call, history, send
from tests.conftest import DOMAIN, PASSWORD, SHARED, MakeApp, basic, register_users
from xmpp_rest.gateway.gateway import Gateway

MESSAGES = "OPTIONS, GET, POST"
CONTACTS = "OPTIONS, GET, POST, PUT, DELETE"
ALLOWED = {
    "/api/messages": MESSAGES,
    "/api/messages/": MESSAGES,
    "/api/messages/nurse@capulet.example": MESSAGES,
    "/api/messages/nurse%40capulet.example/": MESSAGES,
    "/api/sse": "OPTIONS, GET",
    "/api/sse/": "OPTIONS, GET",
    "/api/contacts": CONTACTS,
    "/api/contacts/x@y": CONTACTS,
}


def coded(text: str, encoding: str = "utf-8") -> str:
    return base64.b64encode(text.encode(encoding)).decode()


# routes and methods


@SHARED
@pytest.mark.parametrize(("path", "methods"), ALLOWED.items())
def test_options_needs_no_credentials(client: FlaskClient, path: str, methods: str) -> None:
    response = client.options(path)
    assert (response.status_code, response.data, response.headers["Allow"]) == (200, b"", methods)
    assert "Content-Type" not in response.headers


@SHARED
@pytest.mark.parametrize(("path", "methods"), ALLOWED.items())
@pytest.mark.parametrize("method", ["PATCH", "TRACE", "PROPFIND", "HEAD", "BREW"])
def test_other_methods_are_not_allowed_whoever_asks(client: FlaskClient, path: str, methods: str, method: str) -> None:
    response = client.open(path, method=method)
    status = 401 if method == "HEAD" and "GET" in methods else 405  # HEAD is as GET
    assert (response.status_code, response.data, response.headers["Allow"]) == (status, b"", methods)
    assert "Content-Type" not in response.headers


@SHARED
@pytest.mark.parametrize("path", ["/api/messages/a/b", "/api/messages/a/b/c", "/api/sse/x", "/api/messages//", "/api/contacts/a/b"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "POST", "DELETE"])
def test_an_unknown_route_needs_no_credentials(client: FlaskClient, path: str, method: str) -> None:
    response = client.open(path, method=method)
    assert (response.status_code, response.data) == (404, b"")
    assert "Content-Type" not in response.headers


@pytest.mark.parametrize("path", ["/api/messages/", f"/api/messages/nurse@{DOMAIN}/", f"/api/messages/nurse%40{DOMAIN}"])
def test_a_slash_behind_and_percent_encoding_do_not_matter(client: FlaskClient, path: str) -> None:
    identifier = send(client, NURSE, "hi")
    assert [item["id"] for item in history(client, path)] == [identifier]


@pytest.mark.parametrize("form", ["{}", "http://gateway.example{}", "{}?limit=3", None])
def test_an_encoded_slash_belongs_to_the_address(client: FlaskClient, form: str | None) -> None:
    send(client, f"{NURSE}/balcony", "hi")
    path = f"/api/messages/{NURSE}%2Fbalcony"
    uri = form.format(path) if form else ""  # some servers do not tell
    response = call(client, "GET", path, environ_overrides={"RAW_URI": uri, "REQUEST_URI": uri})
    if form:
        assert (response.status_code, len(response.get_json())) == (200, 1)
        assert history(client, f"/api/messages/{NURSE}%2Fattic") == []
    else:
        assert response.status_code == 404


def test_below_a_mount_point(app: Flask) -> None:
    client = app.test_client()
    response = client.get("/api/messages", headers=basic(JULIET), environ_overrides={"SCRIPT_NAME": "/xmpp"})
    assert response.status_code == 200


def test_another_prefix(make_app: MakeApp) -> None:
    client = register_users(make_app(client_prefix="/im/v1")).test_client()
    assert client.get("/im/v1/messages", headers=basic(JULIET)).json == []
    assert client.get(f"/im/v1/messages/{NURSE}", headers=basic(JULIET)).json == []
    assert client.get("/api/messages", headers=basic(JULIET)).status_code != 200


# credentials


@SHARED
@pytest.mark.parametrize(
    "field",
    [
        *(None, "", "Basic", "Basic ", "Basic !!!", "Bearer hand-in-glove", "Digest username=juliet"),
        f"Basic {coded('no colon')}",
        f"Basic {coded(f'juliet:{PASSWORD}')}",  # no domain
        f"Basic {coded(f'{DOMAIN}:{PASSWORD}')}",  # no localpart
        f"Basic {coded(f'@{DOMAIN}:{PASSWORD}')}",
        f"Basic {coded(f'juliet@other.example:{PASSWORD}')}",
        f"Basic {coded(f'nobody@{DOMAIN}:{PASSWORD}')}",
        f"Basic {coded(f'{JULIET}:wrong')}",
        f"Basic {coded(f'{JULIET}:')}",
        f"Basic {coded(f'jülïet@{DOMAIN}:{PASSWORD}', 'latin-1')}",
        f"Basic {coded(JULIET + ':' + 'x' * 10000)}",
    ],
)
@pytest.mark.parametrize("path", ["/api/messages", "/api/sse", "/api/contacts"])
def test_what_proves_nobody_is_unauthorised(client: FlaskClient, path: str, field: str | None) -> None:
    response = client.get(path, headers={} if field is None else {"Authorization": field})
    assert (response.status_code, response.data) == (401, b"")
    assert response.headers["WWW-Authenticate"] == 'Basic realm="mongooseim"'
    assert "Content-Type" not in response.headers


@pytest.mark.parametrize(
    "field",
    [
        f"basic {coded(f'{JULIET}:{PASSWORD}')}",
        f"BASIC {coded(f'{JULIET}:{PASSWORD}')}",
        f"Basic {coded(f'Juliet@CAPULET.example:{PASSWORD}')}",
        f"Basic {coded(f'{JULIET}/balcony:{PASSWORD}')}",
    ],
)
def test_who_somebody_is_does_not_depend_on_the_spelling(client: FlaskClient, field: str) -> None:
    headers = {"Authorization": field}
    assert client.post("/api/messages", json={"to": NURSE, "body": "hi"}, headers=headers).status_code == 200
    assert history(client, as_=NURSE)[0]["from"] == JULIET


def test_a_password_may_have_colons(client: FlaskClient, gateway: Gateway) -> None:
    gateway.parts.accounts.set_password(gateway.parts.accounts.address("juliet", DOMAIN), "a:b:c")
    assert client.get("/api/messages", headers=basic(JULIET, "a:b:c")).status_code == 200


def test_a_new_password_counts_at_once(client: FlaskClient, gateway: Gateway) -> None:
    assert call(client, "GET", "/api/messages").status_code == 200
    gateway.parts.accounts.set_password(gateway.parts.accounts.address("juliet", DOMAIN), "other")
    assert call(client, "GET", "/api/messages").status_code == 401


def test_guessing_is_slowed_down(make_app: MakeApp) -> None:
    client = make_app(auth_failures="3").test_client()
    statuses = [client.get("/api/messages", headers=basic(JULIET, "wrong")).status_code for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    assert int(client.get("/api/messages", headers=basic(JULIET, "wrong")).headers["Retry-After"]) > 0


def test_the_realm_can_be_set(make_app: MakeApp) -> None:
    response = make_app(client_realm="Verona").test_client().get("/api/messages")
    assert response.headers["WWW-Authenticate"] == 'Basic realm="Verona"'


# formats


@SHARED
@pytest.mark.parametrize(
    "accept", [None, "*/*", "application/*", "application/json", "text/html, application/json;q=0.1", "application/json; charset=utf-8"]
)
def test_json_is_acceptable(client: FlaskClient, accept: str | None) -> None:
    response = call(client, "GET", "/api/messages", headers={"Accept": accept} if accept else {})
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")


@SHARED
@pytest.mark.parametrize("accept", ["text/html", "image/*", "application/xml", "application/json;q=0"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_json_is_not_acceptable(client: FlaskClient, method: str, accept: str) -> None:
    response = call(client, method, "/api/messages", headers={"Accept": accept})
    assert (response.status_code, response.data) == (406, b"")
    assert "Content-Type" not in response.headers


@pytest.mark.parametrize("kind", [None, "application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_a_body_is_json_if_nothing_else_is_said(client: FlaskClient, kind: str | None) -> None:
    body = b'{"to": "nurse@capulet.example", "body": "hi"}'
    assert call(client, "POST", "/api/messages", data=body, content_type=kind).status_code == 200


@SHARED
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "application/jsonx", "nonsense"])
def test_a_body_of_another_type(client: FlaskClient, kind: str) -> None:
    response = call(client, "POST", "/api/messages", data=b'{"to": "nurse@capulet.example", "body": "hi"}', content_type=kind)
    assert (response.status_code, response.data) == (415, b"")
    assert "Content-Type" not in response.headers


@SHARED
@pytest.mark.parametrize(
    "body",
    [
        *(b"", b" ", b"{", b"[]", b'["to"]', b'"text"', b"1", b"null", b"true", b"\xff", b'{"to": NaN}', b"{'to': 1}"),
        *(b"[" * 100_000, b'{"a":' * 100_000, b'{"body": "\xe9"}', b'{"a": 1' + b"0" * 10_000 + b"}"),
    ],
)
def test_a_body_that_is_no_json_object(client: FlaskClient, body: bytes) -> None:
    response = call(client, "POST", "/api/messages", data=body)
    assert (response.status_code, response.data) == (400, b'"Invalid request body"')
    assert response.headers["Content-Type"] == "application/json"


def test_unknown_keys_count_for_nothing_and_the_last_of_a_name_wins(client: FlaskClient) -> None:
    body = b'{"to": "x@y", "to": "nurse@capulet.example", "kuropatwa": [1], "body": "1", "body": "2"}'
    assert call(client, "POST", "/api/messages", data=body).status_code == 200
    assert [(m["to"], m["body"]) for m in history(client)] == [(NURSE, "2")]


def test_a_body_that_is_too_large(make_app: MakeApp, client: FlaskClient) -> None:
    small = register_users(make_app(client_body_limit="2048"))
    response = call(small.test_client(), "POST", "/api/messages", json={"to": NURSE, "body": "x" * 2048})
    assert response.status_code == 413
    assert call(client, "POST", "/api/messages", json={"to": NURSE, "body": "x" * 2048}).status_code == 200


@pytest.mark.parametrize(("size", "status"), [(2048, 200), (2049, 413), (100_000, 413)])
def test_a_chunked_body_is_not_cut_at_the_limit(make_app: MakeApp, size: int, status: int) -> None:
    """What stands before the limit is a whole message; nobody asked for that one."""
    body = json.dumps({"to": NURSE, "body": "hi"}).encode().ljust(2048) + b" " * (size - 2048)
    app = register_users(make_app(client_body_limit="2048"))
    chunked = {"Transfer-Encoding": "chunked", "Content-Type": "application/json"}
    response = call(app.test_client(), "POST", "/api/messages", data=body, headers=chunked, environ_base={"wsgi.input_terminated": True})
    assert response.status_code == status, response.text


# which check comes first


@pytest.mark.parametrize(
    ("method", "how", "status"),
    [
        ("PUT", {"as_": "nobody", "headers": {"Accept": "text/html"}}, 405),
        ("POST", {"as_": "nobody", "headers": {"Accept": "text/html"}, "content_type": "text/plain", "data": b"{"}, 401),
        ("POST", {"headers": {"Accept": "text/html"}, "content_type": "text/plain", "data": b"{"}, 406),
        ("POST", {"content_type": "text/plain", "data": b"{"}, 415),
        ("POST", {"data": b"{"}, 400),
    ],
)
def test_the_first_failure_decides(client: FlaskClient, method: str, how: dict[str, str], status: int) -> None:
    assert call(client, method, "/api/messages/@bad?kuropatwa", **how).status_code == status


def test_the_path_comes_before_the_query(client: FlaskClient) -> None:
    assert call(client, "GET", "/api/messages/@bad?kuropatwa").json == "Invalid interlocutor JID"
    assert call(client, "GET", "/api/messages?limit=x&kuropatwa&before=x").json == "Invalid query string"
    assert call(client, "GET", "/api/messages?before=x&limit=x").json == "Invalid limit"


# CORS

ORIGIN = {"Origin": "https://app.example"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("OPTIONS", "/api/messages", 200),
        ("GET", "/api/messages", 200),
        ("GET", "/api/messages/@bad", 400),
        ("PUT", "/api/messages", 405),
        ("POST", "/api/messages", 400),
        ("GET", "/api/messages/a/b", 404),
    ],
)
def test_every_answer_to_a_listed_page_lets_it_in(make_app: MakeApp, method: str, path: str, status: int) -> None:
    app = register_users(make_app(server_origins="https://app.example, https://other.example"))
    response = call(app.test_client(), method, path, headers=ORIGIN)
    assert response.status_code == status
    assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"
    assert response.headers["Access-Control-Allow-Credentials"] == "true"
    assert {"Authorization", "Content-Type", "Last-Event-ID"} <= set(response.headers["Access-Control-Allow-Headers"].split(", "))
    assert response.headers["Access-Control-Allow-Methods"] == (MESSAGES if status != 404 else "OPTIONS")
    assert response.headers["Vary"] == "Origin"


def test_a_401_and_a_preflight_let_the_page_in(client: FlaskClient) -> None:
    for response in (client.get("/api/sse", headers=ORIGIN), client.options("/api/sse", headers=ORIGIN)):
        assert response.headers["Access-Control-Allow-Origin"] == "https://app.example"
        assert response.headers["Access-Control-Allow-Methods"] == "OPTIONS, GET"


def test_without_an_origin_there_are_no_such_fields(client: FlaskClient) -> None:
    fields = call(client, "GET", "/api/messages").headers
    assert not [name for name, _ in fields if name.startswith("Access-Control")]
    assert "Vary" not in fields


def test_origins_can_be_listed(make_app: MakeApp) -> None:
    client = make_app(server_origins="https://app.example, http://localhost:3000").test_client()
    allowed = client.options("/api/messages", headers={"Origin": "http://localhost:3000"})
    assert allowed.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    other = client.options("/api/messages", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in other.headers
    assert other.headers["Vary"] == "Origin"


# generation 3


def test_generation_3_explains_nothing(make_app: MakeApp) -> None:
    client = register_users(make_app(client_generation="3")).test_client()
    for method, path, status in (
        ("POST", "/api/messages", 400),
        ("GET", "/api/messages/@bad", 404),
        ("GET", "/api/messages?limit=x", 400),
        ("GET", "/api/messages?before=x", 400),
    ):
        response = call(client, method, path)
        assert (response.status_code, response.data) == (status, b""), path
        assert "Content-Type" not in response.headers
    assert call(client, "GET", "/api/messages?kuropatwa").json == []
