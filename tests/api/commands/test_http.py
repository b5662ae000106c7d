"""URLs, methods and header fields work as the peer's do (commands-api §1, §3, §6)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.commands.conftest import ADMIN
from tests.conftest import DOMAIN, PASSWORD, SHARED, MakeApp, basic
from xmpp_rest.http.methods import REGISTERED_METHODS

NO_NAME = {"status": "error", "code": 40, "message": "Missing command name."}
CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "Content-Type, Authorization, X-Admin"}
V0, NAMED = {"stat": 3}, {"name": "registeredusers"}


@SHARED
@pytest.mark.parametrize(
    ("path", "body"),
    [
        *((path, 3) for path in ["stats", "stats/", "stats/v1", "stats/v3", "stats/v99", "stats/v" + "9" * 5000]),
        *((path, V0) for path in ["stats/v0", "stats/v00", "stats/v+0", "stats/v-0", "stats/v0/", "stats/v1/v0"]),
        ("stats/v0/v1", 3),
        ("stats/v0/extra", V0),
        ("stats/V0", 3),
        ("stats/v", 3),
        ("stats/vx", 3),
        ("%73tats/%760", V0),
        ("stats?name=bogus", 3),  # the query of a POST is ignored
    ],
)
def test_path_and_version(client: FlaskClient, path: str, body: Any) -> None:
    answer = client.post(f"/api/{path}", data=json.dumps(NAMED), headers=ADMIN)
    assert (answer.status_code, answer.get_json()) == (200, body)


@pytest.mark.parametrize(("written", "body"), [("0", V0), ("1", 3), ("23.10", V0), ("24.02", 3), ("24.06", 3)])
def test_default_version(make_app: MakeApp, written: str, body: Any) -> None:
    client = make_app(commands_default_version=written).test_client()
    answer = client.post("/api/stats", data=json.dumps(NAMED), headers=ADMIN).get_json()
    assert answer == ({"stat": 1} if body == V0 else 1)


@pytest.mark.parametrize(("written", "status"), [("1", 400), ("24.02", 400), ("2", 200), ("24.06", 200), ("25.10", 200)])
def test_default_version_decides_what_is_there(make_app: MakeApp, written: str, status: int) -> None:
    client = make_app(commands_default_version=written).test_client()
    body = json.dumps({"user": "juliet", "host": DOMAIN})
    assert client.post("/api/get_ban_details", data=body, headers=ADMIN).status_code == status


@SHARED
@pytest.mark.parametrize("path", ["/api", "/api/"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "BREW"])
def test_no_name(client: FlaskClient, path: str, method: str) -> None:
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.get_json()) == (400, NO_NAME)


@SHARED
@pytest.mark.parametrize("method", sorted(REGISTERED_METHODS - {"GET", "POST", "OPTIONS"} | {"BREW"}))
def test_other_methods_never_run_a_command(app: Flask, client: FlaskClient, method: str) -> None:
    query = {"user": "juliet", "host": DOMAIN}
    answer = client.open("/api/unregister", method=method, query_string=query, data=json.dumps(query), headers=ADMIN)
    if method in ("PUT", "PATCH", "DELETE", "HEAD"):
        assert answer.status_code == 400
        assert answer.data == b"" if method == "HEAD" else answer.get_json() == NO_NAME
    else:
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST, OPTIONS")
        assert answer.get_json() == {"status": "error", "code": 405, "message": "Method Not Allowed"}
    gateway = app.extensions["gateway"]
    assert gateway.parts.accounts.exists(gateway.parts.accounts.address("juliet", DOMAIN))


@pytest.mark.parametrize(("path", "status"), [("stats", 200), ("stats/v1", 200), ("no_such_command", 200), ("", 400)])
def test_preflight(client: FlaskClient, path: str, status: int) -> None:
    answer = client.options(f"/api/{path}", headers={"Authorization": "Basic wrong", "Origin": "https://x.example"})
    fields = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "GET, POST, OPTIONS", "Access-Control-Max-Age": "86400"}
    fields["Content-Type"] = "text/plain"
    assert (answer.status_code, answer.data) == (status, b"")
    assert {name: answer.headers.get(name) for name in fields} == fields
    allowed = set(answer.headers["Access-Control-Allow-Headers"].split(", "))
    assert {"Content-Type", "Authorization", "X-Admin"} <= allowed


@pytest.mark.parametrize(("path", "headers"), [("stats", ADMIN), ("stats", {}), ("nothing", {}), ("stats", {"Authorization": "x"})])
def test_fields_of_every_answer(client: FlaskClient, path: str, headers: dict[str, str]) -> None:
    answer = client.get(f"/api/{path}?name=registeredusers", headers=headers)
    assert {name: answer.headers.get(name) for name in CORS} == CORS
    assert answer.headers["Content-Type"] == "application/json"
    assert "WWW-Authenticate" not in answer.headers


@SHARED
@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "nonsense of a type"},
        {"Accept": "image/png"},
        {"Accept-Charset": "latin1;q=0"},
        {"If-None-Match": "*"},
        {"If-Match": '"x"'},
        {"Range": "bytes=0-1"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_fields_that_are_not_looked_at(client: FlaskClient, headers: dict[str, str], method: str) -> None:
    answer = client.open(
        "/api/stats", method=method, data=json.dumps(NAMED) if method == "POST" else None,
        query_string=NAMED, headers=ADMIN | headers,
    )  # fmt: skip
    assert (answer.status_code, answer.get_json()) == (200, 3)


BAD = "400 Bad Request"


@SHARED
@pytest.mark.parametrize(
    ("body", "status", "value"),
    [
        (b"{}", 200, [DOMAIN]),
        (b" \r\n{ } \t", 200, [DOMAIN]),
        (b"\n", 200, [DOMAIN]),
        (b"\r\n", 400, BAD),
        (b"\n\n", 400, BAD),
        (b" ", 400, BAD),
        (b"", 400, "Missing POST data"),
        *((body, 400, BAD) for body in [b"{} {}", b'"x"', b"5", b"null"]),
        (b"[]", 200, [DOMAIN]),  # COMPAT ejabberd: no arguments
        (b"\xef\xbb\xbf{}", 200, [DOMAIN]),
        *((body, 400, BAD) for body in [b"[1]", b'{"a": "\xff"}', b'{"a": "\\ud800"}', b'{"a": NaN}', b'{"a": 1e999}']),
        (b'{"a": ' + b"1" * 5000 + b"}", 400, BAD),
        (b"[" * 100_000, 400, BAD),
        (b'{"a": ' * 5000 + b"1" + b"}" * 5000, 400, BAD),
        (b'{"a": "\\ud83d\\ude00"}', 400, "Request have unknown arguments: [a]"),
    ],
)
def test_bodies(client: FlaskClient, body: bytes, status: int, value: Any) -> None:
    answer = client.post("/api/registered_vhosts", data=body, headers=ADMIN)
    assert (answer.status_code, answer.get_json()) == (status, value)


def test_the_last_of_two_equal_keys_counts(client: FlaskClient) -> None:
    body = f'{{"user": 5, "host": "{DOMAIN}", "user": "juliet"}}'
    assert client.post("/api/check_account", data=body, headers=ADMIN).get_json() == 0


@SHARED
@pytest.mark.parametrize(
    ("query", "status", "value"),
    [
        (f"user=juliet&host={DOMAIN}", 200, 0),
        (f"user=j%75liet&host={DOMAIN}&", 200, 0),
        (f"user=the+nurse&host={DOMAIN}", 200, 1),
        ("", 400, "Request have missing argument: user"),
        ("user", 400, BAD),
        ("user=%FF", 400, BAD),
        (f"user=a&host={DOMAIN}&host={DOMAIN}", 400, "Request have duplicate argument: host"),
        (f"user=a&host={DOMAIN}&zzz=1&name=", 400, "Request have unknown arguments: [zzz,name]"),
    ],
)
def test_queries(client: FlaskClient, query: str, status: int, value: Any) -> None:
    answer = client.get(f"/api/check_account?{query}", headers=ADMIN)
    assert (answer.status_code, answer.get_json()) == (status, value)


def test_get_takes_integers_and_lists_of_one(client: FlaskClient) -> None:
    assert client.get(f"/api/set_last?user=juliet&host={DOMAIN}&timestamp=-5&status=x", headers=ADMIN).get_json() == 0
    assert client.get(f"/api/get_last?user=juliet&host={DOMAIN}", headers=ADMIN).get_json()["timestamp"] == "1969-12-31T23:59:55Z"
    query = f"localuser=juliet&localhost={DOMAIN}&user=romeo&host=m.example&nick=&subs=to&groups=Friends"
    assert client.get(f"/api/add_rosteritem?{query}", headers=ADMIN).get_json() == 0
    assert client.get(f"/api/get_roster?user=juliet&host={DOMAIN}", headers=ADMIN).get_json()[0]["groups"] == ["Friends"]


def test_body_that_is_too_large(make_app: MakeApp) -> None:
    client = make_app(server_body_limit="1024").test_client()
    answer = client.post("/api/registered_vhosts", data=b" " * 1025 + b"{}", headers=ADMIN)
    assert (answer.status_code, answer.get_json()["status"]) == (413, "error")


@pytest.mark.parametrize(("size", "status"), [(1024, 403), (1025, 413)])
def test_a_chunked_body_is_not_cut_at_the_limit(make_app: MakeApp, size: int, status: int) -> None:
    body = b'{"user": "juliet", "host": "capulet.example"}'.ljust(size)
    client = make_app(server_body_limit="1024").test_client()
    answer = client.post(
        "/api/check_account", data=body, headers={"Transfer-Encoding": "chunked"}, environ_base={"wsgi.input_terminated": True}
    )
    assert answer.status_code == status, answer.text


def test_too_many_wrong_passwords(make_app: MakeApp) -> None:
    client = make_app(auth_failures="2").test_client()
    wrong = {"Authorization": "Basic " + "YWRtaW5AY2FwdWxldC5leGFtcGxlOng="}
    statuses = [client.get("/api/registered_vhosts", headers=wrong).status_code for _ in range(3)]
    throttled = client.get("/api/registered_vhosts", headers=wrong)
    assert (statuses, throttled.status_code) == ([401, 401, 429], 429)
    assert int(throttled.headers["Retry-After"]) > 0
    assert throttled.get_json()["status"] == "error"
    right = client.get("/api/registered_vhosts", headers=basic(f"admin@{DOMAIN}", PASSWORD))
    assert (right.status_code, right.get_json()) == (200, [DOMAIN])


@pytest.mark.parametrize("path", ["messages", "contacts", "sse"])
def test_the_client_api_keeps_its_paths(client: FlaskClient, path: str) -> None:
    assert "WWW-Authenticate" in client.get(f"/api/{path}").headers
