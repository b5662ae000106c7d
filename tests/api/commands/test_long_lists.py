"""Long lists are made while they are sent, with the bytes that they always had; one that breaks off does not look complete."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from drivers import Content, StorageError
from tests.api.commands.conftest import Run
from tests.conftest import DOMAIN, basic
from xmpp_rest.api.commands import results
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.service.accounts import accounts

HOST = {"host": DOMAIN}
ADMIN = basic(f"admin@{DOMAIN}")
NAMES = ["a!", "a", "a.b", "aa", "é", "日本", "\U0001f600", *(f"u{n:02}" for n in range(30))]


@pytest.fixture
def everybody(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(results, "PIECE", 10)
    monkeypatch.setattr(accounts, "PAGE", 7)
    assert not any(gateway.driver.bulk_write([Content(name, DOMAIN, "accounts", "keyval", {"password": "x"}) for name in NAMES]))
    return sorted([*NAMES, "admin", "juliet", "nurse"])


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_the_bytes_are_those_of_a_list_at_once(client: FlaskClient, everybody: list[str], method: str) -> None:
    arguments: dict[str, Any] = {"json": HOST} if method == "POST" else {"query_string": HOST}
    answer = client.open("/api/registered_users", method=method, headers=ADMIN, **arguments)
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert answer.data == json.dumps(everybody, ensure_ascii=False, separators=(",", ":")).encode()
    assert "Content-Length" not in answer.headers


def test_a_short_list_has_a_length(client: FlaskClient) -> None:
    answer = client.post("/api/registered_users", json=HOST, headers=ADMIN)
    assert (answer.json, answer.content_length) == (["admin", "juliet", "nurse"], len(answer.data))


def test_pages(run: Run, everybody: list[str]) -> None:
    found: list[str] = []
    while page := run("registered_users", HOST | {"after": found[-1] if found else "", "limit": 7}).body:
        assert len(page) <= 7
        found += page
    assert found == everybody
    assert run("registered_users", HOST | {"limit": 0}).body == everybody
    assert run("registered_users", HOST | {"after": "u05"}).body == [name for name in everybody if name > "u05"]
    assert run("registered_users", HOST | {"limit": -1}) == (400, "Invalid limit")
    assert run("registered_users", {"limit": 3}) == (400, "Request have missing argument: host")


def test_a_list_that_breaks_off_is_not_complete(
    client: FlaskClient, gateway: Gateway, everybody: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = gateway.driver.users_page

    def failing(host: str, store: str | None = None, *, after: str = "", limit: int) -> list[str]:
        if after >= everybody[20]:
            raise StorageError("the disk is gone")
        return page(host, store, after=after, limit=limit)

    monkeypatch.setattr(gateway.driver, "users_page", failing)
    answer = client.post("/api/registered_users", json=HOST, headers=ADMIN, buffered=False)
    assert answer.status_code == 200
    sent: list[Any] = []
    with pytest.raises(StorageError):
        sent.extend(answer.response)
    assert sent
    assert not any(b"]" in piece for piece in sent)


def test_a_client_without_chunks_gets_a_length(client: FlaskClient, everybody: list[str]) -> None:
    environ = {"SERVER_PROTOCOL": "HTTP/1.0"}
    answer = client.post("/api/registered_users", json=HOST, headers=ADMIN, environ_overrides=environ)
    assert (answer.json, answer.content_length) == (everybody, len(answer.data))


def test_a_list_that_cannot_begin_is_refused(client: FlaskClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any, **__: Any) -> list[str]:
        raise StorageError("the disk is gone")

    monkeypatch.setattr(gateway.driver, "users_page", failing)
    assert client.post("/api/registered_users", json=HOST, headers=ADMIN).status_code == 503


def test_lines_of_a_batch_have_it_whole(client: FlaskClient, everybody: list[str]) -> None:
    line = json.dumps({"command": "registered_users", "arguments": HOST}) + "\n"
    answer = client.post("/api", data=line, headers=ADMIN | {"Content-Type": "application/x-ndjson"})
    assert json.loads(answer.data)["result"] == everybody
