"""A web page of another origin does nothing by the password that a browser remembers; programs notice nothing (decision 0019)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.conftest import DOMAIN, PASSWORD, SHARED, MakeApp, basic, build_app, register_users
from xmpp_rest.api.commands.groups import COMMANDS
from xmpp_rest.api.commands.reading_commands import READS

Fields = dict[str, str]
JULIET, ADMIN = basic(f"juliet@{DOMAIN}"), basic(f"admin@{DOMAIN}")
EVIL = "https://evil.example"
FOREIGN: dict[str, Fields] = {
    "image": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
    "form": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Origin": EVIL},
    "fetch": {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Origin": EVIL},
    "sandbox": {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
    "neighbour": {"Sec-Fetch-Site": "same-site", "Origin": "https://blog.localhost"},
    "old browser": {"Origin": EVIL},
    "old browser, sandbox": {"Origin": "null"},
    "other port": {"Origin": "http://localhost:9999"},
    "other case": {"Sec-Fetch-Site": "Cross-Site"},
    "new word": {"Sec-Fetch-Site": "elsewhere"},
}
TRUSTED: dict[str, Fields] = {
    "curl": {"User-Agent": "curl/8.5.0", "Accept": "*/*"},
    "node's fetch": {"Sec-Fetch-Mode": "cors", "User-Agent": "node", "Accept-Language": "*"},
    "own page": {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Origin": "http://localhost"},
    "own form without a referrer": {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
    "own page over plain HTTP": {"Origin": "http://localhost"},
    "own page behind TLS": {"Origin": "https://localhost"},
    "the user": {"Sec-Fetch-Site": "none"},
    "PowerShell": {"User-Agent": "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.19041.1682"},
}
MESSAGE = {"kind": "message", "to": f"nurse@{DOMAIN}", "body": "x", "type": "chat"}


def change(client: FlaskClient, api: str, fields: Fields) -> TestResponse:
    """A request that changes something, made by one with these fields."""
    match api:
        case "rest":
            return client.post("/rest", json=MESSAGE, headers=dict(fields))
        case "rest path":
            return client.post(f"/rest/message/chat/nurse@{DOMAIN}", data="x", headers=fields | {"Content-Type": "text/plain"})
        case "files":
            return client.post("/rest/files", query_string={"to": f"nurse@{DOMAIN}"}, data=b"x", headers=fields | {"Content-Type": "image/png"})
        case "rooms":
            return client.put(f"/rest/rooms/hall@conference.{DOMAIN}", json={"create": True}, headers=dict(fields))
        case "rest batch":
            line = b'{"kind":"message","to":"nurse@%b","body":"x"}\n' % DOMAIN.encode()
            return client.post("/rest", data=line, headers=fields | {"Content-Type": "application/x-ndjson"})
        case "client":  # no Content-Type, as a page can send a Blob
            return client.post("/api/messages", data=f'{{"to":"nurse@{DOMAIN}","body":"x"}}', headers=dict(fields))
        case "contacts":
            return client.delete(f"/api/contacts/nurse@{DOMAIN}", headers=dict(fields))
        case "data put":
            return client.put(f"/data/{DOMAIN}/juliet/x", json={"a": 1}, headers=dict(fields))
        case "data post":
            return client.post(f"/data/{DOMAIN}/juliet/x", json={"a": 1}, headers=dict(fields))
        case "data delete":
            return client.delete(f"/data/{DOMAIN}/juliet/x", headers=dict(fields))
    raise AssertionError(api)


APIS = ["rest", "rest path", "files", "rooms", "rest batch", "client", "contacts", "data put", "data post", "data delete"]


@SHARED
@pytest.mark.parametrize("page", FOREIGN)
@pytest.mark.parametrize("api", APIS)
def test_a_foreign_page_changes_nothing(app: Flask, client: FlaskClient, api: str, page: str) -> None:
    gateway = app.extensions["gateway"]
    nurse = gateway.parts.accounts.address("nurse", DOMAIN)
    answer = change(client, api, JULIET | FOREIGN[page])
    assert answer.status_code == 403
    assert b"[server] origins" in answer.data
    assert not list(gateway.driver.archive_find(nurse.local, nurse.domain, "archive"))
    assert gateway.driver.load("juliet", DOMAIN, "x") is None
    assert change(client, api, {**JULIET, **FOREIGN[page], "Authorization": basic(f"juliet@{DOMAIN}", "wrong")["Authorization"]}).status_code == 403


@pytest.fixture(scope="module")
def changed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    """Of an application that may be changed, as what succeeds does so whatever was done before; `param`: the origins that it lists."""
    app = register_users(build_app(tmp_path_factory.mktemp("changed"), server_origins=request.param))
    yield app.test_client()
    app.extensions["gateway"].stop()


@pytest.mark.parametrize("changed", [""], indirect=True, ids=["none listed"])
@pytest.mark.parametrize("who", TRUSTED)
@pytest.mark.parametrize("api", APIS)
def test_whoever_is_no_foreign_page_notices_nothing(changed: FlaskClient, api: str, who: str) -> None:
    assert change(changed, api, JULIET | TRUSTED[who]).status_code in (200, 201, 202, 204, 404)


@pytest.mark.parametrize("changed", [f"{EVIL}, https://blog.localhost"], indirect=True, ids=["two listed"])
@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("page", ["fetch", "old browser", "neighbour"])
def test_a_listed_page_may(changed: FlaskClient, api: str, page: str) -> None:
    assert change(changed, api, JULIET | FOREIGN[page]).status_code in (200, 201, 202, 204, 404)


@pytest.mark.parametrize("page", FOREIGN)
def test_a_token_is_no_password_that_a_browser_remembers(app: Flask, client: FlaskClient, page: str) -> None:
    gateway = app.extensions["gateway"]
    token = gateway.parts.tokens.issue(gateway.parts.accounts.address("juliet", DOMAIN), ["sasl_auth"], 3600)
    fields = {"Authorization": f"Bearer {token}"} | FOREIGN[page]
    for api in ("rest", "rest path", "client"):
        assert change(client, api, fields).status_code in (200, 202), api


@SHARED
@pytest.mark.parametrize("page", FOREIGN)
def test_reading_is_no_change(client: FlaskClient, page: str) -> None:
    """The page cannot read the answer: the browser keeps it, where the origin is not listed."""
    for path in ("/api/messages", f"/rest/ping/{DOMAIN}", f"/data/{DOMAIN}/juliet"):
        answer = client.get(path, headers=JULIET | FOREIGN[page])
        assert answer.status_code in (200, 404)
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(("page", "status"), [("image", 403), ("fetch", 403), ("old browser", 403)])
def test_a_query_that_runs_a_command_is_a_change(client: FlaskClient, page: str, status: int) -> None:
    assert client.get(f"/rest/command/{DOMAIN}?node=x", headers=JULIET | FOREIGN[page]).status_code == status
    assert client.get(f"/rest/command/{DOMAIN}?node=x", headers=JULIET).status_code == 200


def test_behind_a_proxy_that_names_another_host(make_app: MakeApp) -> None:
    app = make_app(server_public_url="https://chat.example/x")
    answer = change(app.test_client(), "rest", basic(f"admin@{DOMAIN}") | {"Origin": "https://chat.example"})
    assert answer.status_code == 200  # of an address that nobody has: it comes back


# the command API

CHANGE = {"user": "juliet", "host": DOMAIN, "newpass": "stolen"}


@SHARED
@pytest.mark.parametrize("page", FOREIGN)
@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/x-www-form-urlencoded", None])
def test_a_command_by_post(client: FlaskClient, page: str, kind: str | None) -> None:
    fields = ADMIN | FOREIGN[page] | ({"Content-Type": kind} if kind else {})
    body = f'{{"user":"juliet","host":"{DOMAIN}","newpass":"stolen"}}'
    answer = client.post("/api/change_password", data=body, headers=fields)
    assert (answer.status_code, answer.get_json()["code"]) == (403, 32)
    assert client.get("/api/contacts", headers=JULIET).status_code == 200


@SHARED
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "fields",
    [
        *FOREIGN.values(),
        {"Sec-Fetch-Site": "none", "Sec-Fetch-Dest": "document"},
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Dest": "image"},
        {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Accept-Language": "en-US", "Accept": "image/avif,*/*"},
    ],
)
def test_a_browser_changes_nothing_by_get(client: FlaskClient, method: str, fields: Fields) -> None:
    answer = client.open("/api/change_password", method=method, query_string=CHANGE, headers=ADMIN | fields)
    assert answer.status_code in ((403,) if method == "GET" else (400, 403, 405))
    assert client.get("/api/contacts", headers=JULIET).status_code == 200


@pytest.mark.parametrize("who", ["curl", "node's fetch", "PowerShell"])
def test_a_program_does(client: FlaskClient, who: str) -> None:
    assert client.get("/api/change_password", query_string=CHANGE, headers=ADMIN | TRUSTED[who]).json == 0


@pytest.mark.parametrize("who", TRUSTED)
def test_commands_by_post_of_others(client: FlaskClient, who: str) -> None:
    assert client.post("/api/change_password", json=CHANGE, headers=ADMIN | TRUSTED[who]).json == 0


@SHARED
@pytest.mark.parametrize("fields", [*FOREIGN.values(), {"Sec-Fetch-Site": "none", "Sec-Fetch-Dest": "document"}])
def test_commands_that_only_read(client: FlaskClient, fields: Fields) -> None:
    assert client.get("/api/registered_vhosts", headers=ADMIN | fields).json == [DOMAIN]
    assert client.post("/api/registered_vhosts", json={}, headers=ADMIN | fields).json == [DOMAIN]


def test_where_one_sits_is_no_password_either(make_app: MakeApp) -> None:
    """A rule that opens a command to a network opens it to no page that somebody there looks at."""
    rule = {"rights_local_who": "127.0.0.0/8", "rights_local_what": "register, status"}
    client = make_app(**rule).test_client()
    body = {"user": "mercutio", "host": DOMAIN, "password": "x"}
    assert client.post("/api/register", json=body, headers=dict(FOREIGN["form"])).status_code == 403
    assert client.post("/api/status", json={}, headers=dict(FOREIGN["form"])).status_code == 200
    assert client.post("/api/register", json=body).status_code == 200


def test_a_page_with_a_token_may_post(app: Flask, client: FlaskClient) -> None:
    gateway = app.extensions["gateway"]
    gateway.start()  # makes the administrator
    token = gateway.parts.tokens.issue(gateway.parts.accounts.address("admin", DOMAIN), ["ejabberd:admin"], 3600)
    assert client.post("/api/change_password", json=CHANGE, headers={"Authorization": f"Bearer {token}"} | FOREIGN["fetch"]).json == 0


def test_every_command_that_sounds_like_a_change_is_taken_for_one() -> None:
    names = {bound.name for bound in COMMANDS}
    words = "add set delete create destroy change register unregister send ban kick remove subscribe issue revoke reload clear push stop"
    told = {name for name in READS & names if not set(name.split("_")).isdisjoint(words.split())}
    assert told == {"delete_old_mam_messages_status", "delete_old_messages_status", "get_ban_details"}


# /oauth


def test_a_page_gets_a_token_for_a_password_that_it_asked_for(make_app: MakeApp) -> None:
    client = make_app(oauth_client_check="allow").test_client()
    form = {"grant_type": "password", "username": f"admin@{DOMAIN}", "password": PASSWORD}
    for page in FOREIGN.values():
        assert client.post("/oauth/token", data=form, headers=dict(page)).status_code == 200
        assert client.post("/oauth/token", data=form, headers=ADMIN | page).status_code == 403
