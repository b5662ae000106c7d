"""Observers are told of each answer once it is finished: by our worker, by other servers, and for what a parser refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from gunicorn.http.errors import InvalidChunkSize
from werkzeug.test import EnvironBuilder, run_wsgi_app

from tests.conftest import DOMAIN, basic
from tests.serving.worker_server import Server
from xmpp_rest.answered import Answered, Answers
from xmpp_rest.config.worker_class import OWN
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.serving.watched import Watched

ADMIN = f"admin@{DOMAIN}"


@pytest.fixture
def told(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> list[Answered]:
    told: list[Answered] = []
    monkeypatch.setattr(gateway, "parts", replace(gateway.parts, observers=(told.append,)))
    return told


def test_an_answer_is_described(client: FlaskClient, told: list[Answered]) -> None:
    fields = basic(ADMIN) | {"User-Agent": "curl", "X-Request-Id": "mine"}
    answer = client.post("/rest?password=x", data="{}", headers=fields, content_type="application/json", buffered=True)
    (one,) = told
    expected = ("rest", "POST", "/rest", answer.status_code, False, 2, len(answer.data), ADMIN, "127.0.0.1", "curl", "mine", "")
    assert (*one[:4], *one[6:]) == expected
    assert 0 < one.seconds == one.lasted < 60


@pytest.mark.parametrize(("path", "api"), [("/health", "ops"), ("/data/x", "data"), ("/api/x", "commands"), ("/api/messages", "client"), ("/oauth/token", "oauth"), ("/", "web"), ("/openapi.json", "ops"), ("/x", "other")])
def test_the_api_is_that_of_the_blueprint(client: FlaskClient, told: list[Answered], path: str, api: str) -> None:
    client.get(path, buffered=True)
    assert [(one.api, one.path) for one in told] == [(api, path)]


def test_one_that_fails_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    told: list[Answered] = []

    def fails(_: Answered) -> None:
        raise OSError

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("204 No Content", [])
        return []

    answer = Watched(app, Answers(lambda: (fails, told.append)))({"REQUEST_METHOD": "GET", "PATH_INFO": "/ä b".encode().decode("latin-1")}, lambda *_: None)
    assert told == []
    assert list(answer) == []
    answer.close()  # type: ignore[attr-defined]
    assert [(one.status, one.path, len(one.request_id)) for one in told] == [(204, "/%C3%A4%20b", 32)]
    assert "an answer could not be noted" in caplog.text


def test_an_application_that_raises_has_answered_500() -> None:
    told: list[Answered] = []

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise OSError

    with pytest.raises(OSError):
        Watched(app, Answers(lambda: (told.append,)))({"RAW_URI": "http://user:secret@host/path?x"}, lambda *_: None)
    assert [(one.status, one.path) for one in told] == [(500, "/path")]


class Broken:
    """The body of a request, as the parser of a server finds it."""

    def read(self, size: int = -1) -> bytes:
        raise InvalidChunkSize(b"zz")


@pytest.mark.parametrize("path", ["/rest", "/api/status", "/api/messages", "/oauth/revoke", "/data/x"])
def test_a_broken_body_under_other_servers_is_the_error_of_its_client(client: FlaskClient, told: list[Answered], path: str) -> None:
    more = {"wsgi.input": Broken(), "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    kind = "application/x-www-form-urlencoded" if "oauth" in path else "application/json"
    method = "PUT" if "data" in path else "POST"
    environ = EnvironBuilder(path, method=method, headers=list(basic(ADMIN).items()) if "oauth" not in path else None, content_type=kind).get_environ() | more
    environ.pop("CONTENT_LENGTH", None)
    _, status, _ = run_wsgi_app(client.application, environ, buffered=True)
    assert status.startswith("400 ")
    assert [one.status for one in told] == [400]


NOTING = """
import json
import threading
from xmpp_rest.answered import EXTENSION, Answers
from xmpp_rest.serving.watched import Watched

lock = threading.Lock()

def note(answered):
    with lock, open({told!r}, "a") as file:
        file.write(json.dumps(answered._asdict()) + "\\n")

app.extensions[EXTENSION] = Answers(lambda: (note,))
app.wsgi_app = Watched(app.wsgi_app, app.extensions[EXTENSION])
"""


@pytest.mark.parametrize("worker", [OWN, "gthread"])
def test_every_answer_of_a_server_is_told(tmp_path: Path, worker: str) -> None:
    log = tmp_path / "told"
    log.write_text("")
    server = Server(tmp_path, "-k", worker, more=NOTING.replace("{told!r}", repr(str(log))))
    requests = [
        "POST /?secret=1 HTTP/1.1\r\nContent-Length: 5\r\nUser-Agent: one\r\nX-Request-Id: first\r\n\r\nhello",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n",
        "HEAD / HTTP/1.1\r\n\r\n", "GET /nothing HTTP/1.1\r\n\r\n", "GET /broken HTTP/1.1\r\n\r\n",
    ]  # fmt: skip
    pushed = worker == OWN
    if pushed:
        requests += [
            "GET /pushed/ticks HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\nHost: x\n\n", f"GET /{'x' * 9000} HTTP/1.1\r\n\r\n",
            f"GET / HTTP/1.1\r\nX: {'x' * 9000}\r\n\r\n",
        ]  # fmt: skip
    try:
        answers = [ask(server, text) for text in requests]
    finally:
        server.stop()
        server.log.close()
    lines = [Answered(**json.loads(line)) for line in log.read_text().splitlines()]
    told = [one for one in lines if one.user_agent != "" or one.address][-len(requests) :]
    seen = [(one.method, one.path, one.status, one.bytes_in, one.bytes_out) for one in told]
    assert seen[:3] == [("POST", "/", 200, 5, 1), ("POST", "/", 200, 7, 1), ("HEAD", "/", 200, 0, 0)]
    assert seen[3][1:4] == ("/nothing", 404, 0)
    assert seen[4] == ("GET", "/broken", 200, 0, 4)
    assert [(one.user_agent, one.request_id) for one in told[:1]] == [("one", "first")]
    assert {one.address for one in told} == {"127.0.0.1"}
    assert all(one.seconds <= one.lasted for one in told)
    if not pushed:
        return
    assert seen[5][1:3] == ("/pushed/ticks", 200)
    assert seen[5][4] == len("tick 0\n" * 3)
    assert seen[6:] == [("", "", status, 0, seen[n][4]) for n, status in ((6, 400), (7, 414), (8, 431))]
    for one, answer in zip(told[6:], answers[6:], strict=True):  # what is not a request has an id all the same
        assert f"X-Request-Id: {one.request_id}\r\n" in answer
        assert answer.startswith(f"HTTP/1.1 {one.status} ")


def ask(server: Server, text: str) -> str:
    with server.connect() as sock:
        sock.sendall(text.replace("HTTP/1.1\r\n", "HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", 1).encode())
        answer = b""
        while data := sock.recv(65536):
            answer += data
    return answer.decode("latin-1")
