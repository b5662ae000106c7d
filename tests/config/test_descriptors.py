"""The gateway continues when it has run out of descriptors, and reports the limit."""

from __future__ import annotations

import resource
import socket
from pathlib import Path

import pytest
import urllib3

from tests.gateway.test_storage_lost import workers
from tests.link.attached import until
from tests.live.child import LOOPBACK
from tests.live.gateway import Gateway
from tests.live.xmppserver import GATEWAY
from xmpp_rest.config import descriptors
from xmpp_rest.config.check import describe
from xmpp_rest.config.load import load_settings


class Limited(Gateway):
    """A gateway each of whose processes may have so many descriptors."""

    files = 80

    def command(self) -> list[str]:
        return ["sh", "-c", f'ulimit -n {self.files}; exec "$@"', "sh", *super().command()]


@pytest.mark.parametrize("count", [1, 2])
def test_a_crowd_of_connections(tmp_path: Path, count: int) -> None:
    gateway = Limited(tmp_path, 1, {"server": {"workers": count, "threads": 70}, "link": {"kind": "none"}})
    gateway.start()
    crowd: list[socket.socket] = []
    try:
        until(lambda: len(workers(gateway)) == count, 60)
        before = workers(gateway)
        for _ in range(2):
            for _ in range(150):
                crowd.append(connection := socket.create_connection((LOOPBACK, gateway.port), timeout=30))
                connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nX")
            until(lambda: gateway.output.read_text().count("RLIMIT_NOFILE") >= 1, 60)
            while crowd:
                crowd.pop().close()
            gateway.http.close()  # idle connections are ended, as there were no descriptors left
            gateway.http = urllib3.HTTPConnectionPool(LOOPBACK, gateway.port, maxsize=8, retries=False, timeout=30)
            for n in range(10):
                gateway.send(f"<message to='admin@{GATEWAY}' type='chat'><body>{n}</body></message>", "admin")
                assert gateway.status()["version"]
        assert workers(gateway) == before
        assert gateway.output.read_text().count("RLIMIT_NOFILE") <= count
        assert "Traceback" not in gateway.output.read_text()
    finally:
        for connection in crowd:
            connection.close()
        gateway.stop()


class Softly(Limited):
    """One that may raise its limit."""

    def command(self) -> list[str]:
        return ["sh", "-c", 'ulimit -S -n 90; exec "$@"', "sh", *Gateway.command(self)]


def test_the_server_raises_its_limit(tmp_path: Path) -> None:
    gateway = Softly(tmp_path, 1, {"server": {"workers": 1, "threads": 8}, "link": {"kind": "none"}})
    gateway.start()
    crowd: list[socket.socket] = []
    try:
        for _ in range(150):
            crowd.append(connection := socket.create_connection((LOOPBACK, gateway.port), timeout=30))
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n")
        for connection in crowd:
            connection.sendall(b"\r\n")
        for connection in crowd:
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert "RLIMIT_NOFILE" not in gateway.output.read_text()
    finally:
        for connection in crowd:
            connection.close()
        gateway.stop()


def test_a_limit_that_cannot_be_raised(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def refuse(_: int, limits: tuple[int, int]) -> None:
        raise ValueError(f"not {limits[0]}")

    settings = load_settings(None, {})
    monkeypatch.setattr(resource, "setrlimit", refuse)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, resource.RLIM_INFINITY))
    descriptors.raise_limit(settings)
    assert "RLIMIT_NOFILE" in caplog.text
    monkeypatch.setattr(resource, "getrlimit", lambda _: (65536, 65536))
    caplog.clear()
    descriptors.raise_limit(settings)  # there is nothing to raise
    assert not caplog.text


@pytest.mark.parametrize(("files", "taken"), [(100_000, 10_000), (1024, 1024 - 64 * 4 - 100), (100, 65)])
def test_check_names_the_limit(monkeypatch: pytest.MonkeyPatch, files: int, taken: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    settings = load_settings(None, {})
    (line,) = [line for line in describe(settings) if "connections" in line]
    assert line.startswith(f"take {taken} connections")
    assert ("RLIMIT_NOFILE" in line and str(files) in line) == (taken < descriptors.CONNECTIONS)


def test_the_service_may_have_many() -> None:
    unit = (Path(__file__).parents[2] / "deploy" / "xmpp-rest.service").read_text()
    assert "LimitNOFILE=65536" in unit.splitlines()
