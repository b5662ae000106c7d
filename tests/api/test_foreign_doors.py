"""What is not for accounts of other servers says so without a login there, whatever the password is (accounts-anywhere §7.5)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.api.foreign_accounts import AS_ROMEO, FOREIGN, ROMEO, ScriptedDoor, app_with_door
from tests.conftest import DOMAIN, PASSWORD, basic
from xmpp_rest.errors import ERRORS

Answer = tuple[int, Any]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Flask, ScriptedDoor]]:
    with app_with_door(tmp_path_factory.mktemp("doors"), oauth_client_check="allow", auth_failures="3") as built:
        yield built


@pytest.fixture
def client(built: tuple[Flask, ScriptedDoor]) -> FlaskClient:
    return built[0].test_client()


@pytest.fixture(autouse=True)
def nobody_asks(built: tuple[Flask, ScriptedDoor]) -> Iterator[None]:
    """No test of this module has the server of an account asked."""
    built[1].asked.clear()
    yield
    assert built[1].asked == []


NOT_LATER = f"Messages of accounts of {FOREIGN} cannot wait for their time: to send them then takes the password, which is not kept"
NO_HOOKS = f"Accounts of {FOREIGN} have no hooks: what comes by one could be sent only with the password, which is not kept"
DATA = f"The data of {FOREIGN} is kept by its own server; this API has hosted accounts only"
FILES = f"Files of accounts of {FOREIGN} are kept by its own upload service; here are those of {DOMAIN} only"
ELSEWHERE = f"This is for accounts of {DOMAIN} only, and {FOREIGN} is another server's"
STATUS = f"Only administrators may see this, and {ROMEO} is none of them: [auth] admins lists them"
ADMIN = ERRORS["admin"].text
MESSAGE = {"kind": "message", "to": f"juliet@{DOMAIN}", "body": "It is my lady"}

PROBLEMS: list[tuple[str, str, dict[str, str], Any, str]] = [
    ("GET", "/data/settings", {}, None, DATA),
    ("PUT", "/data/settings", {}, {"a": 1}, DATA),
    ("DELETE", "/data/settings", {}, None, DATA),
    ("GET", f"/data/{ROMEO}/settings", {}, None, DATA),
    ("GET", "/status", {}, None, STATUS),
    ("GET", "/metrics", {}, None, ELSEWHERE),
    ("GET", "/hooks", {}, None, NO_HOOKS),
    ("POST", "/hooks", {}, {"targets": [ROMEO]}, NO_HOOKS),
    ("PUT", "/hooks/ops", {}, {"targets": [ROMEO]}, NO_HOOKS),
    ("POST", "/hooks/ops", {}, {"text": "It is my lady"}, NO_HOOKS),
    ("POST", "/hooks/ops/token", {}, None, NO_HOOKS),
    ("POST", f"/msg/juliet@{DOMAIN}", {}, {"body": "It is my lady"}, ELSEWHERE),
    ("GET", "/rest/files", {}, None, FILES),
    ("GET", "/rest/files/abc", {}, None, FILES),
    ("DELETE", "/rest/files/abc", {}, None, FILES),
]


@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
@pytest.mark.parametrize(("method", "path", "fields", "body", "detail"), PROBLEMS)
def test_a_problem_document(client: FlaskClient, method: str, path: str, fields: dict[str, str], body: Any, detail: str, password: str) -> None:
    answer = client.open(path, method=method, json=body, headers={**fields, **basic(ROMEO, password)})
    assert (answer.status_code, answer.content_type) == (403, "application/problem+json")
    assert answer.get_json(force=True)["detail"] == detail


OF_REST = [
    ("GET", "/rest/callbacks", {}, None, ADMIN),
    ("GET", "/rest/sessions", {}, None, ADMIN),
    ("DELETE", f"/rest/sessions/{ROMEO}", {}, None, ADMIN),
    ("GET", "/rest/callbacks/bot/dead", {}, None, ADMIN),
    ("POST", "/rest/callbacks/bot/replay", {}, {}, ADMIN),
    ("GET", "/rest/scheduled", {}, None, NOT_LATER),
    ("GET", "/rest/scheduled/abc", {}, None, NOT_LATER),
    ("DELETE", "/rest/scheduled/abc", {}, None, NOT_LATER),
    ("POST", "/rest", {"Send-At": "tomorrow, 10am"}, MESSAGE, NOT_LATER),
    ("POST", "/rest", {"Delay": "30m"}, MESSAGE, NOT_LATER),
    ("POST", f"/rest/message/chat/juliet@{DOMAIN}", {"Delay": "30m"}, {"body": "It is my lady"}, NOT_LATER),
]


@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
@pytest.mark.parametrize(("method", "path", "fields", "body", "text"), OF_REST)
def test_an_error_of_rest(client: FlaskClient, method: str, path: str, fields: dict[str, str], body: Any, text: str, password: str) -> None:
    answer = client.open(path, method=method, json=body, headers={**fields, **basic(ROMEO, password)})
    error = answer.get_json()["error"]
    assert (answer.status_code, error["condition"], error["text"]) == (403, "forbidden", text)


def test_administration_is_refused_as_to_any_account(client: FlaskClient) -> None:
    for path in ("/rest/callbacks", "/rest/callbacks/bot/dead"):
        answers = [client.get(path, headers=basic(name)) for name in (f"juliet@{DOMAIN}", ROMEO)]
        hosted, foreign = (answer.get_json()["error"] | {"instance_id": ""} for answer in answers)
        assert foreign == hosted
    answers = [client.get("/status", headers=basic(name)) for name in (f"juliet@{DOMAIN}", ROMEO)]
    hosted, foreign = (answer.get_json(force=True) for answer in answers)
    assert foreign["detail"] == hosted["detail"].replace(f"juliet@{DOMAIN}", ROMEO)


@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/api/registered_users", "/api/registered_users/v0", "/api/send_message", "/api/nothing"])
def test_commands(client: FlaskClient, method: str, path: str, password: str) -> None:
    answer = client.open(path, method=method, json=None if method == "GET" else {}, headers=basic(ROMEO, password))
    refusal = {"status": "error", "code": 32, "message": "AccessRules: Account does not have the right to perform the operation."}
    assert (answer.status_code, answer.get_json()) == ((404, answer.get_json()) if path.endswith("nothing") else (403, refusal))


@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
def test_many_commands(client: FlaskClient, password: str) -> None:
    lines = {"Content-Type": "application/x-ndjson"}
    answer = client.post("/api", data=f'{{"command":"registered_users","host":"{DOMAIN}"}}\n', headers=lines | basic(ROMEO, password))
    assert (answer.status_code, answer.get_json()["code"]) == (403, 32)


@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
def test_a_batch_with_a_time(client: FlaskClient, password: str) -> None:
    fields = {"Content-Type": "application/x-ndjson", "Send-At": "2h"}
    answer = client.post("/rest", data=f"{json.dumps(MESSAGE)}\n", headers=fields | basic(ROMEO, password))
    assert (answer.status_code, answer.get_json()["error"]["text"]) == (403, NOT_LATER)


def test_guesses_are_neither_counted_nor_told_apart(client: FlaskClient) -> None:
    """However many there are: the answer of each is that to the right password."""
    answers = {client.get("/data/settings", headers=basic(ROMEO, f"guess {number}")).data for number in range(30)}
    assert len({json.loads(answer)["detail"] for answer in answers}) == 1
    assert client.get("/data/settings", headers=basic(ROMEO)).status_code == 403


def test_tokens(client: FlaskClient) -> None:
    for password in (PASSWORD, "wrong"):
        answer = client.post("/oauth/token", data={"grant_type": "password", "username": ROMEO, "password": password})
        said = {"error": "invalid_grant", "error_description": f"Tokens are for accounts of {DOMAIN}; use the password itself"}
        assert (answer.status_code, answer.get_json()) == (400, said)


def test_the_implicit_grant(client: FlaskClient, built: tuple[Flask, ScriptedDoor]) -> None:
    page = {"client_id": "page", "client_name": "A page", "redirect_uri": "https://page.example/"}
    assert client.post("/api/oauth_add_client_implicit", json=page, headers=basic(f"admin@{DOMAIN}")).status_code == 200
    asked = {"response_type": "token", "client_id": "page", "redirect_uri": "https://page.example/"}
    answer = client.post("/oauth/authorization_token", data=asked | {"username": ROMEO, "password": PASSWORD})
    assert answer.status_code == 400
    assert f"Tokens are for accounts of {DOMAIN}; use the password itself" in answer.text


def test_ntfy(client: FlaskClient) -> None:
    for method, path in (("POST", f"/ntfy/juliet@{DOMAIN}"), ("PUT", "/ntfy/ops"), ("GET", "/ntfy/ops/json?poll=1")):
        answer = client.open(path, method=method, data=b"" if method == "GET" else b"It is my lady", headers=AS_ROMEO)
        assert (answer.status_code, answer.get_json(force=True)["code"]) == (403, 40301)
        assert ELSEWHERE in answer.get_json(force=True)["error"]


def test_apprise(client: FlaskClient) -> None:
    answer = client.post("/notify/ops", json={"body": "It is my lady"}, headers=AS_ROMEO)
    assert answer.status_code == 403
    assert NO_HOOKS in answer.text


def test_gotify_takes_tokens_of_hooks_alone(client: FlaskClient) -> None:
    assert client.post("/message", json={"message": "It is my lady"}, headers=AS_ROMEO).status_code == 401


def test_a_name_without_a_domain_and_a_domain_without_a_name_are_hosted(client: FlaskClient) -> None:
    assert client.get("/rest/outcome/1", headers=basic("juliet")).status_code == 404
    assert client.get("/rest/outcome/1", headers=basic("romeo")).status_code == 403
    assert client.get("/api/contacts", headers=basic(FOREIGN)).status_code == 401


def test_a_domain_that_no_section_has_is_answered_as_ever(client: FlaskClient) -> None:
    for domain in ("verona.example", f"a.{FOREIGN}"):
        answer = client.get("/rest/outcome/1", headers=basic(f"romeo@{domain}"))
        assert (answer.status_code, answer.get_json()["error"]["text"]) == (403, "Credentials not accepted")
        assert client.get("/api/contacts", headers=basic(f"romeo@{domain}")).status_code == 401
        assert client.get("/data/settings", headers=basic(f"romeo@{domain}")).status_code == 401


def test_the_refusal_is_noted(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    client.get("/data/settings", headers=basic(ROMEO, "a-guess"))
    assert "reason=elsewhere" in caplog.text
    assert ROMEO in caplog.text
    assert "a-guess" not in caplog.text
