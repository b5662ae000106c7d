"""The gateway under Apache, uWSGI and Passenger by the files of deploy/: messages, credentials, events and request ids."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from urllib3.util import make_headers

from tests.live.child import LOOPBACK
from tests.live.conftest import require
from tests.live.gateway import PASSWORD

from .servers import APACHE_MODULES, SERVERS, Apache, Recipe

JULIET = make_headers(basic_auth=f"juliet@localhost:{PASSWORD}")
ADMIN = make_headers(basic_auth=f"admin@localhost:{PASSWORD}")


@pytest.fixture(scope="module", params=SERVERS, ids=lambda cls: cls.__name__.lower())
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recipe]:
    require(request.param.program)
    if request.param is Apache:
        require("mod_wsgi", next(map(str, APACHE_MODULES.glob("mod_wsgi.so")), None))
    server: Recipe = request.param(tmp_path_factory.mktemp("recipe"))
    server.start()
    try:
        account = {"user": "juliet", "host": "localhost", "password": PASSWORD}
        answer = ask(server, "POST", "/api/register", account, ADMIN)
        assert answer.status == 200, (answer.data, server.tail())
        yield server
    finally:
        server.stop()


def ask(server: Recipe, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, **more: Any) -> urllib3.BaseHTTPResponse:
    with urllib3.PoolManager(retries=False, timeout=30) as http:
        return http.request(method, f"http://{LOOPBACK}:{server.port}{path}", json=body, headers=headers or {}, **more)


def test_a_message_goes_out(server: Recipe) -> None:
    answer = ask(server, "POST", "/rest", {"to": "admin@localhost", "body": "Art thou not Romeo?", "id": "m1"}, JULIET)
    assert (answer.status, answer.headers["Stanza-Id"]) == (202, "m1")
    for path in ("/api/messages/admin@localhost%2Fphone", "/rest/ping/juliet%40localhost"):  # a segment with a slash, one that is encoded
        assert ask(server, "GET", path, headers=JULIET).status == 200, path
    history = ask(server, "GET", "/api/messages/admin@localhost?limit=1", headers=JULIET).json()
    assert [item["body"] for item in history] == ["Art thou not Romeo?"]


def test_credentials_reach_the_gateway(server: Recipe) -> None:
    path = "/rest/ping/localhost"
    wrong = make_headers(basic_auth="juliet@localhost:wrong")
    statuses = [ask(server, "GET", path, headers=fields).status for fields in (None, wrong, {"Authorization": "Bearer no"}, JULIET)]
    assert statuses == [401, 403, 403, 200]


def test_request_ids_come_back(server: Recipe) -> None:
    assert ask(server, "GET", "/health", headers={"X-Request-Id": "mine-1"}).headers["X-Request-Id"] == "mine-1"
    assert len(ask(server, "GET", "/nothing").headers["X-Request-Id"]) == 32


def test_events_stream(server: Recipe) -> None:
    with urllib3.PoolManager(retries=False, timeout=30) as http:
        stream = http.request("GET", f"http://{LOOPBACK}:{server.port}/rest/stream", headers=ADMIN, preload_content=False)
        assert stream.status == 200
        lines = iter(stream.readline, b"")
        assert next(lines) == b": ok\n"
        assert ask(server, "POST", "/rest", {"to": "admin@localhost", "body": "now"}, JULIET).status == 202
        data = next(line for line in lines if line.startswith(b"data:"))
        assert json.loads(data[5:])["body"] == "now"
        stream.close()


def test_the_pages_are_served(server: Recipe) -> None:
    for path in ("/", "/docs/swagger-ui.css", "/console/"):
        assert ask(server, "GET", path).status == 200


def test_several_processes_serve(server: Recipe) -> None:
    for n in range(8):
        assert ask(server, "POST", "/rest", {"to": "admin@localhost", "body": f"{n}"}, JULIET).status == 202
