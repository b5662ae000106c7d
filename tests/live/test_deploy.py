"""The files below deploy/ work unchanged: nginx before the gateway, other WSGI servers, the servers' snippets."""

from __future__ import annotations

import configparser
import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import urllib3
from urllib3.util import make_headers

from tests.link.attached import until

from .child import LOOPBACK, Child, answers, free_port
from .conftest import require
from .gateway import PASSWORD, ROOT, Gateway
from .nginx import Nginx
from .xmppserver import GATEWAY

DEPLOY = ROOT / "deploy"
ALONE: dict[str, dict[str, object]] = {"link": {"kind": "none"}, "server": {"proxies": 1}}
TOKEN = "hk_" + "Zq9" * 9  # of no hook


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    gateway = Gateway(tmp_path_factory.mktemp("alone"), 1, ALONE)
    gateway.start()
    gateway.register("romeo")
    yield gateway
    gateway.stop()


@pytest.fixture(scope="module")
def nginx(alone: Gateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    os.environ["PATH"] += ":/usr/sbin"
    require("nginx")
    nginx = Nginx(tmp_path_factory.mktemp("nginx"), alone.port)
    nginx.start()
    yield nginx
    nginx.stop()


def test_nginx_hands_requests_on(alone: Gateway, nginx: Nginx) -> None:
    http_ = urllib3.PoolManager(retries=False)
    romeo = make_headers(basic_auth=f"romeo:{PASSWORD}")
    url = f"http://{LOOPBACK}:{nginx.port}"
    sent = http_.request("POST", f"{url}/rest", json={"to": f"admin@{GATEWAY}", "body": "x" * 100_000}, headers=romeo)
    assert sent.status == 202
    assert http_.request("GET", f"{url}/rest/ping/{GATEWAY}", headers=romeo).status == 200
    assert http_.request("GET", f"{url}/rest/disco/romeo%40{GATEWAY}", headers=romeo).status == 200
    assert http_.request("POST", f"{url}/rest", body=b"x" * 300_000, headers=romeo | {"Content-Type": "text/plain"}).status == 413
    assert http_.request("POST", f"{url}/rest", body=b"x" * 11_000_000, headers=romeo).status == 413


def test_nginx_lets_events_through_at_once(alone: Gateway, nginx: Nginx) -> None:
    connection = http.client.HTTPConnection(LOOPBACK, nginx.port, timeout=30)
    connection.request("GET", "/rest/stream", headers=make_headers(basic_auth=f"admin:{PASSWORD}"))
    response = connection.getresponse()
    assert response.status == 200
    alone.post_json({"to": f"admin@{GATEWAY}", "body": "now"}, "romeo")
    while not (line := response.readline()).startswith(b"data:"):
        pass
    assert json.loads(line[5:])["body"] == "now"
    connection.close()
    response.close()


def test_behind_nginx_the_throttle_sees_the_client(alone: Gateway, nginx: Nginx) -> None:
    """Thirty wrong passwords of one client lock out nobody else, though all come from the proxy's address."""
    http_ = urllib3.PoolManager(retries=False)
    url = f"http://{LOOPBACK}:{alone.port}/rest/ping/{GATEWAY}"
    wrong, right = (make_headers(basic_auth=f"romeo:{p}") for p in ("guess", PASSWORD))
    statuses = {http_.request("GET", url, headers=wrong | {"X-Forwarded-For": "192.0.2.1"}).status for _ in range(31)}
    assert statuses == {403, 429}
    assert http_.request("GET", url, headers=wrong | {"X-Forwarded-For": "192.0.2.2"}).status == 403
    assert {http_.request("GET", url, headers=right | {"X-Forwarded-For": f"192.0.2.{n}"}).status for n in (1, 2)} == {200}


class Plain(Child):
    """A gateway under a WSGI server that knows nothing of it."""

    def __init__(self, folder: Path, command: list[str]) -> None:
        super().__init__(folder)
        self.port = free_port()
        self._command = [part.format(port=self.port) for part in command]
        ini = configparser.ConfigParser(interpolation=None)
        ini.read_dict({"auth": {"admin_password": PASSWORD}})
        with (folder / "wsgi.ini").open("w") as file:
            ini.write(file)

    def command(self) -> list[str]:
        return self._command

    def environment(self) -> Mapping[str, str]:
        return {"XMPP_REST_CONFIG": str(self.folder / "wsgi.ini"), "PYTHONPATH": f"{ROOT}:{DEPLOY}"}

    def ready(self) -> bool:
        return answers(self.port)


PASSENGER = """
import socketserver, sys
from wsgiref.simple_server import WSGIServer, make_server
import passenger_wsgi

class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

make_server("127.0.0.1", int(sys.argv[1]), passenger_wsgi.application, Server).serve_forever()
"""
STARTS = {
    "gunicorn": [sys.executable, "-m", "gunicorn", "--threads", "8", "--no-control-socket", "-b", "127.0.0.1:{port}", "app:create_app()"],
    "gunicorn with the application": [
        sys.executable,
        "-m",
        "gunicorn",
        "--threads",
        "8",
        "--no-control-socket",
        "-b",
        "127.0.0.1:{port}",
        "app:app",
    ],
    "gunicorn with two workers": [
        *(sys.executable, "-m", "gunicorn", "-w", "2", "--threads", "8", "--no-control-socket"),
        *("-b", "127.0.0.1:{port}", "app:create_app()"),
    ],
    "gunicorn with a preloaded application": [
        *(sys.executable, "-m", "gunicorn", "-w", "2", "--threads", "8", "--preload", "--no-control-socket"),
        *("-b", "127.0.0.1:{port}", "app:create_app()"),
    ],
    "passenger_wsgi.py": [sys.executable, "-c", PASSENGER, "{port}"],
}


@pytest.mark.parametrize("command", STARTS.values(), ids=list(STARTS))
def test_other_wsgi_servers(tmp_path: Path, command: list[str]) -> None:
    server = Plain(tmp_path / "plain", command)
    server.start()
    try:
        http_ = urllib3.PoolManager(retries=False, timeout=30)
        admin = make_headers(basic_auth=f"admin@localhost:{PASSWORD}")
        url = f"http://{LOOPBACK}:{server.port}"
        for n in range(6):
            account = {"user": f"user{n}", "host": "localhost", "password": PASSWORD}
            assert http_.request("POST", f"{url}/api/register", json=account, headers=admin).status == 200
            user = make_headers(basic_auth=f"user{n}:{PASSWORD}")
            assert http_.request("POST", f"{url}/rest", json={"to": "admin@localhost", "body": "x"}, headers=user).status == 202
    finally:
        server.stop()


def test_nginx_compresses_and_names_requests(alone: Gateway, nginx: Nginx) -> None:
    url = f"http://{LOOPBACK}:{nginx.port}"
    with urllib3.PoolManager(retries=False) as http_:
        plain = http_.request("GET", f"{url}/api-docs/openapi.json", headers={"Accept-Encoding": "identity"})
        packed = http_.request("GET", f"{url}/api-docs/openapi.json", headers={"Accept-Encoding": "gzip"}, decode_content=False)
        assert (plain.status, packed.status) == (200, 200)
        assert packed.headers["Content-Encoding"] == "gzip"
        assert "Accept-Encoding" in packed.headers["Vary"]
        assert len(packed.data) < len(plain.data) / 3
        named = http_.request("GET", f"{url}/livez?token=hidden").headers["X-Request-Id"]
        assert re.fullmatch("[0-9a-f]{32}", named)
        assert http_.request("GET", f"{url}/metrics").status == 403
        for path in (f"/hooks/{TOKEN}/ops/hk_2", f"/ntfy/{TOKEN}", f"/a/notify/%68k_{TOKEN[3:]}"):
            assert http_.request("POST", f"{url}{path}", body=b"hello").status in (401, 403, 404)
    log = (nginx.folder / "xmpp-rest.log").read_text()
    assert named in log
    assert "hidden" not in log
    assert re.findall(r'"POST (\S+)"', log)[-3:] == ["/hooks/hk_...", "/ntfy/hk_...", "/a/notify/hk_..."]
    assert TOKEN[3:] not in log


def test_nginx_lets_files_through(alone: Gateway, nginx: Nginx) -> None:
    """Larger ones than other requests, without compression, and without what would let others read them in the log."""
    url, romeo, content = f"http://{LOOPBACK}:{nginx.port}", make_headers(basic_auth=f"romeo:{PASSWORD}"), b"a rose " * 2_000_000
    with urllib3.PoolManager(retries=False) as http_:
        asked = f"{url}/rest/upload_request/{GATEWAY}?filename=rose.txt&size={len(content)}&content-type=text/plain"
        put = http_.request("GET", asked, headers=romeo | {"Accept": "application/json"}).json()["upload_slot"]["put"]
        path, fields = put["url"][put["url"].index("/files/") :], {field["name"]: field["value"] for field in put["headers"]}
        assert http_.request("PUT", url + path, body=content, headers=fields | {"Content-Type": "text/plain"}).status == 201
        answer = http_.request("GET", url + path, headers={"Accept-Encoding": "gzip", "Range": "bytes=2-5"}, decode_content=False)
        assert (answer.status, answer.data, answer.headers.get("Content-Encoding")) == (206, b"rose", None)
        assert answer.headers["ETag"][:1] == '"'
        sent = http_.request("POST", f"{url}/rest/files?name=rose.txt", body=content, headers=romeo)
        assert sent.status == 201
    identifier = path.split("/")[2]
    for log in (nginx.folder / "xmpp-rest.log", alone.output):
        assert identifier not in log.read_text()
    assert '"PUT /files/.../rose.txt"' in (nginx.folder / "xmpp-rest.log").read_text()
    until(lambda: "path=/files/…/rose.txt" in alone.output.read_text())  # lines of answers are written a moment later


def test_nginx_keeps_its_connections(alone: Gateway, nginx: Nginx) -> None:
    """Those to the gateway, for clients who keep none."""
    url = f"http://{LOOPBACK}:{nginx.port}/livez"
    for _ in range(20):
        with urllib3.PoolManager(retries=False) as http_:
            assert http_.request("GET", url, headers={"Connection": "close"}).status == 200
    established = [line.split()[2:4] for line in Path("/proc/net/tcp").read_text().splitlines()]  # remote address, state
    assert 1 <= established.count([f"0100007F:{alone.port:04X}", "01"]) <= 4


def test_the_unit_for_systemd_names_what_is_there() -> None:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "xmpp-rest.service")
    assert "Environment" not in unit["Service"]  # which the command line would not see
    command = unit["Service"]["ExecStart"].split()
    assert command[0].endswith("/.venv/bin/xmpp-rest")
    config = str(ROOT / "wsgi.ini")
    checked = subprocess.run(
        [sys.executable, "-m", "xmpp_rest", "--config", config, "check"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
    )
    assert checked.returncode == 0, checked.stderr
    assert command[1:] == ["--config", "/etc/xmpp-rest/wsgi.ini", "run"]
