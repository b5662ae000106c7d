"""Every error that a newcomer meets says what was wrong, and what would be right: in its body, or in a header field beside the peer's body."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from flask.testing import FlaskClient

from tests.conftest import DOMAIN, SHARED, basic
from xmpp_rest.api.detail import FIELD, MAX_DETAIL, detail_field

ADMIN, BARE, NURSE = basic(f"admin@{DOMAIN}"), basic("admin"), basic(f"nurse@{DOMAIN}")
JSON = {"Content-Type": "application/json"}
SERVICE = f"conference.{DOMAIN}"
MISSING = "Request have missing argument: user"


class Case(NamedTuple):
    method: str
    path: str
    status: int
    said: tuple[str, ...]  # all of them are in the body or in the field
    headers: dict[str, str] = ADMIN
    body: Any = None  # JSON
    raw: bytes = b""
    exact: Any = None  # the body, where clients compare it


CASES = [
    # /rest
    Case("GET", f"/rest/verison/{DOMAIN}", 422, ("'verison'", "did you mean 'version'?", "exactly one child tag")),
    Case("POST", f"/rest/iq/dicso/{DOMAIN}", 422, ("'dicso'", "did you mean 'disco'?")),
    Case("GET", "/rest/version", 400, ("invalid-path", "give query and recipient")),
    Case("GET", "/rest/outcome/x", 404, ("no stanza of this id", "Stanza-Id")),
    Case("GET", "/rest/callbacks/x/dead", 404, ("no callback of this name", "[callback.NAME]")),
    Case("PUT", "/rest", 405, ("PUT is not among the methods", "GET, OPTIONS, POST"), exact={"type": "error", "code": 405}),
    Case("PUT", "/rest", 405, ("<p>PUT is not among the methods",), ADMIN | {"Accept": "text/html"}),
    Case("POST", "/rest", 422, ("'admin' is not an address", f"did you mean admin@{DOMAIN}?"), body={"to": "admin", "body": "x"}),
    Case("DELETE", "/rest/stream", 405, ("DELETE is not among the methods",), exact={"type": "error", "code": 405}),
    Case("POST", "/rest", 401, ("No credentials provided", "send Basic"), {}),
    Case("POST", "/rest", 403, ("Credentials not accepted", "no such account"), basic("admin", "x")),
    Case("POST", "/rest", 403, ("Credentials not accepted", "no such account"), basic("admin", "")),
    Case("POST", "/rest", 415, ("Unsupported media type", "application/json"), ADMIN | {"Content-Type": "text/html"}, raw=b"x"),
    Case("POST", "/rest", 403, ("requested 'from'", f"admin@{DOMAIN}"), body={"from": f"nurse@{DOMAIN}", "to": "a@b", "body": "x"}),
    Case("POST", "/rest", 422, ("exactly one child tag", "there are 0"), body={"kind": "iq", "to": DOMAIN}),
    # /data
    Case("GET", "/data/x", 401, ("whole address", f"admin@{DOMAIN}"), BARE),
    Case("GET", "/data/x", 401, ("no such account",), basic(f"admin@{DOMAIN}", "x")),
    Case("GET", "/data/x", 401, ("Send Basic",), {}),
    Case("GET", "/data/x", 404, ("The store 'x'",)),
    Case("GET", "/data/", 404, ("write /data/HOST/USER/STORE",)),
    Case("PATCH", "/data/x", 405, ("PATCH is not among the methods", "PUT")),
    # the client API
    Case("GET", "/api/messages", 401, ("whole address", f"admin@{DOMAIN}"), BARE),
    Case("GET", "/api/messages", 401, ("Send Basic",), {}),
    Case("GET", "/api/messages?limit=x", 400, ("limit: write a whole number from 0",), exact="Invalid limit"),
    Case("GET", "/api/messages?limit=-1", 400, ("limit: write a whole number from 0",), exact="Invalid limit"),
    Case("GET", "/api/messages?limti=1", 400, ("'limti'", "did you mean 'limit'?"), exact="Invalid query string"),
    Case("GET", "/api/messages?before=x", 400, ("milliseconds",), exact="Invalid value of 'before'"),
    Case("POST", "/api/messages", 400, ("not valid JSON",), ADMIN | JSON, raw=b"{", exact="Invalid request body"),
    Case("POST", "/api/messages", 400, ("JSON object",), ADMIN | JSON, raw=b"[]", exact="Invalid request body"),
    Case("POST", "/api/messages", 415, ("Content-Type must be application/json",), ADMIN | {"Content-Type": "text/plain"}, raw=b"x"),
    Case("GET", "/api/messages", 406, ("Accept must admit application/json",), ADMIN | {"Accept": "text/html"}),
    Case("PUT", "/api/messages", 405, ("PUT is not among the methods", "GET, POST")),
    Case("GET", "/api/messages/a/b", 404, ("nothing at this path",)),
    # the command API
    Case("POST", "/api/regster", 404, ("'regster'", "did you mean 'register'?"), body={},
         exact={"status": "error", "code": 40, "message": "Endpoint not found."}),
    Case("GET", "/api/mesages", 404, ("'mesages'", "did you mean 'messages'?")),
    Case("POST", "/api/registered_users", 403, ("is not hosted here", f"did you mean '{DOMAIN}'?"), body={"host": "capulet.exmaple"}),
    Case("POST", "/api/registered_users", 403, ("has no credentials",), {}, body={"host": DOMAIN}),
    Case("POST", "/api/registered_users", 403, ("not an administrator", "[rights.NAME]"), NURSE, body={"host": DOMAIN}),
    Case("POST", "/api/registered_users", 401, ("whole address", f"admin@{DOMAIN}"), BARE, body={"host": DOMAIN}),
    Case("POST", "/api/register", 400, ("'usr'", "did you mean 'user'?", "password (text)"), body={"usr": "a"}, exact=MISSING),
    Case("POST", "/api/register", 400, ("JSON object", "{}"), exact="Missing POST data"),
    Case("POST", "/api/register", 400, ("not valid JSON", "line 1"), raw=b"{", exact="400 Bad Request"),
    Case("GET", "/api/register?user", 400, ("NAME=VALUE",), exact="400 Bad Request"),
    Case("POST", "/api/register", 500, ("an empty one is not valid",), body={"user": "a", "host": DOMAIN, "password": ""}),
    Case("POST", "/api/register", 500, ("without blanks",), body={"user": "a b", "host": DOMAIN, "password": "x"}),
    Case("POST", "/api/change_password", 400, ("an empty one is not valid",), body={"user": "nurse", "host": DOMAIN, "newpass": ""},
         exact="invalid_password"),
    Case("POST", "/api/get_ban_details/v1", 400, ("from version 2 on",), body={"user": "nurse", "host": DOMAIN}, exact="unknown_command"),
    Case("POST", "/api/backup", 400, ("does not offer backup",), body={}, exact="unknown_command"),
    Case("POST", "/api/stats", 500, ("registeredusers",), body={"name": "x"}, exact="internal_error"),
    Case("POST", "/api/set_loglevel", 400, ("warning",), body={"loglevel": "x"}, exact="Invalid log level"),
    Case("POST", "/api/create_room", 400, (SERVICE,), body={"room": "r", "service": "rooms", "host": DOMAIN},
         exact="Unknown host passed in 'service'"),
    Case("POST", "/api/create_room_with_opts", 400, ("'persistnt'", "did you mean 'persistent'?"),
         body={"room": "r", "service": SERVICE, "host": DOMAIN, "options": {"persistnt": "true"}}),
    # elsewhere
    Case("POST", "/oauth/token", 415, ("application/x-www-form-urlencoded",), JSON, raw=b"{}"),
    Case("GET", "/oauth/token", 405, ("GET is not among the methods", "POST"), {}),
    Case("GET", "/nowhere", 404, ("/rest, /data, /api",), {}),
    Case("GET", "/status", 401, ("Send Basic",), {}),
    Case("GET", "/status", 403, ("Only administrators", f"nurse@{DOMAIN}", "[auth] admins"), NURSE),
]  # fmt: skip


@SHARED
@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.method} {c.path} {c.said[0]}")
def test_an_error_says_what_would_be_right(client: FlaskClient, case: Case) -> None:
    given = {"json": case.body} if case.body is not None else {"data": case.raw}
    response = client.open(case.path, method=case.method, headers=case.headers, **given)
    assert response.status_code == case.status
    said = response.text + response.headers.get(FIELD, "")
    assert not [word for word in case.said if word not in said and word.replace('"', '\\"') not in said], said
    if case.exact is not None:
        assert response.get_json() == case.exact


@pytest.mark.parametrize(("option", "value"), [("persistent", "yes"), ("max_users", "x"), ("presence_broadcast", "king")])
def test_a_bad_room_option_is_the_callers_mistake(client: FlaskClient, option: str, value: str) -> None:
    room = {"room": "r", "service": SERVICE}
    assert client.post("/api/create_room", json=room | {"host": DOMAIN}, headers=ADMIN).status_code == 200
    response = client.post("/api/change_room_option", json=room | {"option": option, "value": value}, headers=ADMIN)
    assert (response.status_code, response.get_json().startswith(f"{option}: ")) == (400, True)


@pytest.mark.parametrize("name", ["x" * 5000, "é\r\nSet-Cookie: a=b", "%00", "\x7f\x1b[31m"])
def test_what_is_repeated_is_bounded_and_printable(client: FlaskClient, name: str) -> None:
    for response in (client.post(f"/api/{name.replace('/', '')}", json={}), client.post("/api/register", json={name: 1}, headers=ADMIN)):
        said = response.headers.get(FIELD, "")
        assert said
        assert len(said) <= MAX_DETAIL
        assert said.isascii()
        assert said.isprintable()
        assert "Set-Cookie" not in response.headers


def test_no_secret_is_repeated(client: FlaskClient) -> None:
    secret = "Hyacinth-7"
    bodies = [{"user": "nurse", "host": DOMAIN, "newpass": secret, "x": 1}, {"user": "nurse", "host": "elsewhere", "newpass": secret}]
    for response in (client.post("/api/change_password", json=body, headers=ADMIN) for body in bodies):
        assert response.status_code >= 400
        assert secret not in response.text + str(response.headers)
    broken = client.post("/api/change_password", data=f'{{"newpass":"{secret}"', headers=ADMIN)
    assert secret not in broken.text + str(broken.headers)


def test_the_field() -> None:
    assert detail_field("") == {}
    assert detail_field("a\r\nb  c") == {FIELD: "a b c"}
