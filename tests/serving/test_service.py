"""What systemd is told: when the gateway serves, how its link is, that it lives, that it is reloaded, that it stops."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import ssl
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from urllib3.util import make_headers

from tests.live.child import LOOPBACK, free_port
from tests.serving.certificate import make_certificate
from tests.serving.load import load, until
from tests.serving.service import WATCHDOG, Service, ask, silence

LINK = "[gateway]\ndomain = gw.example\nrooms_domain =\nconference_domain =\n[link]\nkind = component\nsecret = x\nretry_max = 1\nport = "
PASSWORD = "a rose by any other name"
LIMIT = 4 * WATCHDOG + 2  # seconds


@pytest.fixture(scope="module")
def link_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, link_port: int) -> Iterator[Service]:
    service = Service(tmp_path_factory.mktemp("service"), f"@xmpp-rest-{os.getpid()}", f"{LINK}{link_port}\n", XMPP_REST_AUTH_ADMIN_PASSWORD=PASSWORD)
    try:
        service.wait("READY=1")
        yield service
    finally:
        service.end()


def test_ready_when_every_process_serves(service: Service) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(service.folder / "http.sock"))
    with contextlib.closing(service.connection()) as connection:
        assert ask(connection, "/livez")[0] == 200
    assert service.log().count("Booting worker") == 2
    assert stat.S_IMODE((service.folder / "http.sock").stat().st_mode) == 0o660
    assert service.heard()[0].startswith("READY=1\nSTATUS=serving 2 processes")
    assert "unicorn" not in "".join(service.heard())


def test_the_state_of_the_link(service: Service, link_port: int) -> None:
    until(lambda: service.status() == "serving 2 processes; link gw.example: unreachable", "the reason")
    with socket.create_server((LOOPBACK, link_port)) as server:
        server.accept()[0].close()
        until(lambda: service.status() not in ("", "serving 2 processes; link gw.example: unreachable"), "another reason")
        assert service.status().startswith("serving 2 processes; link gw.example: ")


def test_a_sign_of_life_while_every_process_lives(service: Service) -> None:
    service.wait("WATCHDOG=1", service.count("WATCHDOG=1") + 3)
    frozen = service.workers()[-1]
    os.kill(frozen, signal.SIGSTOP)
    try:
        until(lambda: silence(service, "WATCHDOG=1", 2 * WATCHDOG), "no sign of life")
    finally:
        os.kill(frozen, signal.SIGCONT)
    service.wait("WATCHDOG=1", service.count("WATCHDOG=1") + 2)


def test_a_mistake_in_the_configuration_changes_nothing(service: Service) -> None:
    before, text = service.workers(), service.config.read_text()
    ready = service.count("READY=1")
    service.config.write_text(f"{text}[rest]\niq_timeout = soon\n")
    try:
        service.process.send_signal(signal.SIGHUP)
        service.wait("READY=1", ready + 1)
    finally:
        service.config.write_text(text)
    assert service.count("RELOADING=1") == 1
    assert "[rest] iq_timeout = 'soon'" in service.log()
    assert re.search(r"xmpp_rest\.audit command .*command=reload .*status=400", service.log())
    assert service.workers() == before


def test_a_reload_under_load(service: Service) -> None:
    """No request fails; what needs a restart is named, and all else is in force, the number of processes included."""
    text, before, ready = service.config.read_text(), set(service.workers()), service.count("READY=1")
    changed = text.replace("workers = 2", "workers = 3\norigins = https://app.example").replace(f"bind = {service.port}", "bind = 1")
    service.config.write_text(changed.replace("domain = gw.example", "domain = moved.example"))
    with load(service.port, path="/status", read=asked_the_leader, headers=make_headers(basic_auth=f"admin@gw.example:{PASSWORD}")) as clients:
        service.process.send_signal(signal.SIGHUP)
        service.wait("READY=1", ready + 1)
        until(lambda: not before & set(service.workers()), "the old ones to end")
        clients.until(50)
    assert clients.failures == []
    reloading = next(message for message in reversed(service.heard()) if "RELOADING=1" in message)
    assert 0 < int(reloading.split("MONOTONIC_USEC=")[1]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert len(service.workers()) == 3
    until(lambda: service.status().startswith("serving 3 processes"), "the status")
    (named,) = [line for line in service.log().splitlines() if "in need of a restart" in line]
    assert "[server] bind" in named
    assert "[gateway] domain" in named
    assert "origins" not in named
    with contextlib.closing(service.connection()) as connection:
        connection.request("GET", "/livez", headers={"Origin": "https://other.example"})
        assert connection.getresponse().getheader("Access-Control-Allow-Origin") is None


def asked_the_leader(body: bytes) -> int:
    """The number of streams in an answer that whatever process needs the leader for. Raises ValueError: it is not that answer."""
    streams: list[object] = json.loads(body).get("link", {}).get("streams", ())
    if not streams:
        raise ValueError(body)
    return len(streams)


def test_a_stop(service: Service) -> None:
    with contextlib.ExitStack() as stack:
        kept = [stack.enter_context(contextlib.closing(service.connection())) for _ in range(8)]
        for connection in kept:
            ask(connection, "/livez")
        stop(service, kept)
    assert service.process.wait(30) == 0
    assert service.count("STOPPING=1") == 1
    assert not (service.folder / "http.sock").exists()
    assert "Traceback" not in service.log()


def stop(service: Service, kept: list[http.client.HTTPConnection]) -> None:
    """Stop it; who has a connection still, and asks at once, is told so."""
    service.process.send_signal(signal.SIGTERM)
    service.wait("STOPPING=1")
    found = []
    for connection in kept:
        with contextlib.suppress(http.client.HTTPException, OSError):  # it was idle for 2 s, where the machine is slow
            until(lambda connection=connection: found.append(ask(connection, "/readyz")) or found[-1][0] == 503, "not ready")  # type: ignore[misc]
    assert found[-1] == (503, {"status": "unavailable", "reasons": [{"check": "process", "reason": "stopping"}]})


# with a certificate


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("encrypted")
    make_certificate(folder)
    service = Service(folder, str(folder / "notify"), "certificate = cert.pem\nkey = key.pem\n")
    try:
        service.wait("READY=1")
        yield service
    finally:
        service.end()


def connected(service: Service) -> ssl.SSLSocket:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection((LOOPBACK, service.port), 30))


def shown(service: Service) -> bytes:
    """The certificate that the server shows."""
    with connected(service) as sock:
        return sock.getpeercert(binary_form=True) or b""


def test_plain_http_is_an_answer_like_others(encrypted: Service) -> None:
    with socket.create_connection(("127.0.0.1", encrypted.port), 30) as sock:
        sock.sendall(b"GET /livez?secret=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        got = b""
        while data := sock.recv(65536):
            got += data
    found = re.search(r"X-Request-Id: ([0-9a-f]{32})\r\n", got.decode())
    assert found
    line = f' status=400 seconds=0.000000 api=other account=null address=127.0.0.1 bytes_in=0 bytes_out=55 user_agent="" request_id={found[1]}\n'
    until(lambda: line in encrypted.log(), "the access line")


def test_a_certificate_is_read_again(encrypted: Service) -> None:
    before = shown(encrypted)
    make_certificate(encrypted.folder)
    assert shown(encrypted) == before
    encrypted.process.send_signal(signal.SIGHUP)
    encrypted.wait("READY=1", 2)
    until(lambda: shown(encrypted) != before, "the new one")
    now = shown(encrypted)
    (encrypted.folder / "key.pem").unlink()
    encrypted.process.send_signal(signal.SIGHUP)
    encrypted.wait("READY=1", 3)
    assert "[server] key = key.pem: cannot be read" in encrypted.log()
    assert shown(encrypted) == now


def test_a_second_signal_ends_at_once(encrypted: Service) -> None:
    with connected(encrypted) as upload:
        upload.sendall(b"POST /rest HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc")
        encrypted.process.send_signal(signal.SIGTERM)
        encrypted.wait("STOPPING=1")
        encrypted.process.send_signal(signal.SIGTERM)
        assert encrypted.process.wait(LIMIT) == 0


def test_other_workers(tmp_path: Path) -> None:
    """They show life, compress, and end streams at a stop."""
    service = Service(tmp_path, str(tmp_path / "notify"), "worker_class = gthread\ncompress = yes\n", XMPP_REST_AUTH_ADMIN_PASSWORD=PASSWORD)
    try:
        service.wait("READY=1")
        service.wait("WATCHDOG=1", 2)
        for path in ("/openapi.json", "/livez"):
            with contextlib.closing(service.connection()) as connection:
                connection.request("GET", path, headers={"Accept-Encoding": "gzip"})
                answer = connection.getresponse()
                assert answer.getheader("Content-Encoding") == ("gzip" if path == "/openapi.json" else None)
                assert len(answer.read()) == int(answer.getheader("Content-Length", ""))
        with contextlib.closing(service.connection()) as connection:
            connection.request("GET", "/rest/stream", headers=make_headers(basic_auth=f"admin@localhost:{PASSWORD}"))
            stream = connection.getresponse()
            assert stream.status == 200
            service.process.send_signal(signal.SIGTERM)
            stream.read()
        assert service.process.wait(30) == 0
    finally:
        service.end()
