"""Answers of each API while the storage fails, also for credentials, and after an internal error."""

from __future__ import annotations

import base64
import json
import logging
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from drivers import StorageError
from tests.conftest import DOMAIN, PASSWORD, MakeApp, basic
from tests.raising import raising
from xmpp_rest.auth.tokens import Tokens
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid

JSON = {"Content-Type": "application/json"}
FORM = {"grant_type": "password", "username": f"juliet@{DOMAIN}", "password": PASSWORD}
MESSAGE = {"to": f"nurse@{DOMAIN}", "body": "hi"}
REQUESTS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "rest": ("POST", "/rest", {"json": MESSAGE}),
    "rest query": ("GET", f"/rest/ping/{DOMAIN}", {}),
    "rest stream": ("GET", "/rest/stream", {}),
    "rest outcome": ("GET", "/rest/outcome/1", {}),
    "callbacks": ("GET", "/rest/callbacks", {}),
    "data": ("GET", "/data/settings", {}),
    "data write": ("PUT", "/data/settings", {"json": {}}),
    "messages": ("GET", "/api/messages", {}),
    "sending": ("POST", "/api/messages", {"json": MESSAGE}),
    "rooms": ("GET", "/api/rooms", {}),
    "contacts": ("GET", "/api/contacts", {}),
    "events": ("GET", "/api/sse", {}),
    "command": ("POST", "/api/status", {"json": {}}),
    "command by query": ("GET", "/api/status", {}),
    "status": ("GET", "/status", {}),
}
TELLS: dict[str, Callable[[Any], str]] = {
    "rest": lambda body: str(body["error"]["condition"]),
    "data": lambda body: str(body["detail"]),
    "messages": str,
    "command": lambda body: str(body["message"]),
    "status": lambda body: str(body["detail"]),
}
ME = f"juliet@{DOMAIN}"


def broken(*_: object, **__: object) -> None:
    raise StorageError("/secret/place: the disk is on fire")


def refused_politely(answer: TestResponse) -> None:
    assert answer.status_code == 503, answer.data
    assert answer.headers["Retry-After"] == "5"
    assert answer.data
    assert b"fire" not in answer.data
    assert b"secret" not in answer.data


@pytest.mark.parametrize("name", REQUESTS)
def test_a_storage_that_fails_while_a_password_is_read(app: Flask, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    client = app.test_client()
    client.get("/health")
    monkeypatch.setattr(gateway.driver, "load", broken)
    method, path, rest = REQUESTS[name]
    answer = client.open(path, method=method, headers=basic(ME), **rest)
    refused_politely(answer)
    if tell := TELLS.get(name):
        assert tell(answer.get_json())


@pytest.mark.parametrize("name", REQUESTS)
def test_a_storage_that_fails_while_a_token_is_read(app: Flask, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    client = app.test_client()
    client.get("/health")
    token = Tokens(gateway.driver, DOMAIN).issue(parse_jid(ME), ["sasl_auth", "ejabberd:admin"], 60)
    monkeypatch.setattr(gateway.driver, "load", broken)
    method, path, rest = REQUESTS[name]
    refused_politely(client.open(path, method=method, headers={"Authorization": f"Bearer {token}"}, **rest))


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke"])
def test_a_storage_that_fails_while_a_token_is_made(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    app = make_app(oauth_client_check="allow")
    client = app.test_client()
    client.get("/health")
    monkeypatch.setattr(app.extensions["gateway"].driver, "load", broken)
    answer = client.post(path, data=FORM | {"token": "x" * 40})
    refused_politely(answer)
    assert answer.get_json()["error"] == "server_error"


@pytest.mark.parametrize("url", ["flatfile:store", "jsonfile:store", "sqlite:store.sqlite"])
@pytest.mark.parametrize("name", ["rest", "messages", "data", "command"])
def test_every_driver(make_app: MakeApp, tmp_path: Path, url: str, name: str) -> None:
    app = make_app(storage_url=url, server_data_dir=str(tmp_path / "data"))
    gateway: Gateway = app.extensions["gateway"]
    gateway.parts.accounts.register(parse_jid(ME), PASSWORD)
    gateway.stop()
    place = tmp_path / "data" / url.partition(":")[2]
    if place.is_file():
        place.write_bytes(b"junk" * 5000)
    for file in place.rglob("*juliet*"):
        file.unlink()
        file.mkdir()
    app = make_app(storage_url=url, server_data_dir=str(tmp_path / "data"))
    method, path, rest = REQUESTS[name]
    answer = app.test_client().open(path, method=method, headers=basic(ME), **rest)
    assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "5"), answer.data
    assert str(tmp_path).encode() not in answer.data


@pytest.mark.parametrize("name", REQUESTS)
def test_a_mistake_of_our_own(app: Flask, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str) -> None:
    client = app.test_client()
    client.get("/health")
    monkeypatch.setattr(gateway.driver, "load", raising(RuntimeError("internals of the gateway")))
    method, path, rest = REQUESTS[name]
    answer = client.open(path, method=method, headers=basic(ME), **rest)
    assert answer.status_code == 500
    assert b"internals" not in answer.data
    assert "Retry-After" not in answer.headers
    assert "internals of the gateway" in caplog.text


BROKEN = {
    "too short": b"Content-Length: 100\r\n\r\n{",
    "no chunk": b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "half a chunk": b"Transfer-Encoding: chunked\r\n\r\n64\r\n{",
}


@pytest.mark.parametrize("sent", BROKEN.values(), ids=list(BROKEN))
@pytest.mark.parametrize("path", ["/api/status", "/api/messages", "/rest", "/data/x", "/oauth/token"])
def test_a_broken_body_is_no_error_of_ours(app: Flask, caplog: pytest.LogCaptureFixture, sent: bytes, path: str) -> None:
    caplog.set_level(logging.INFO)
    server = make_server("127.0.0.1", 0, app)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    kind = b"application/x-www-form-urlencoded" if path == "/oauth/token" else b"application/json"
    who = b"" if path == "/api/status" else b"Authorization: Basic " + base64.b64encode(f"{ME}:{PASSWORD}".encode()) + b"\r\n"
    try:
        with socket.create_connection(("127.0.0.1", server.server_port), timeout=30) as connection:
            connection.sendall(b"POST %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: %b\r\n%b%b" % (path.encode(), kind, who, sent))
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            while data := connection.recv(65536):
                answer += data
    finally:
        server.shutdown()
        server.server_close()
    assert b" 400 " in answer.partition(b"\r\n")[0]
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING or r.exc_info]
    if path == "/api/status":
        assert len([r for r in caplog.records if r.name == "xmpp_rest.commands" and r.levelno == logging.INFO]) == 1


def test_a_start_that_fails_is_tried_again(app: Flask, gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    client = app.test_client()
    monkeypatch.setattr("xmpp_rest.gateway.gateway.RETRY", 0.1)
    with monkeypatch.context() as patched:
        patched.setattr(gateway.driver, "load", broken)
        gateway.start_in_time(lambda _: False)
        assert client.get("/health").status_code == 200
        for path in ("/rest/ping/x", "/api/messages", "/api/status", "/data/x", "/status", "/nowhere"):
            refused_politely(client.get(path, headers=basic(ME)))
    deadline = threading.Event()
    for _ in range(300):
        if gateway.parts.remote.group.is_leader:
            break
        deadline.wait(0.1)
    assert client.get(f"/rest/ping/{DOMAIN}", headers=basic(ME)).status_code == 200
    for _ in range(300):  # what is known of the storage is kept for a second
        if json.loads(client.get("/health").data) == {"status": "ok", "health": "green", "database": "green"}:
            return
        deadline.wait(0.1)
    pytest.fail(client.get("/health").text)
