"""TLS by gunicorn's settings."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.certificate import Certificate, make_certificate
from tests.serving.load import load, until
from tests.serving.worker_server import Server, answer

GET = "GET {} HTTP/1.1\r\nHost: x\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@contextlib.contextmanager
def serving(folder: Path, certificate: Certificate, client: ssl.SSLContext, *options: str) -> Iterator[Server]:
    server = Server(folder, "--certfile", certificate.cert, "--keyfile", certificate.key, *options, tls=client)
    try:
        yield server
        assert server.stop() < 30
        assert "Traceback" not in server.output()
    finally:
        server.process.kill()
        server.process.wait()
        server.log.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("tls"), certificate, certificate.client(), "--keep-alive", "30") as server:
        yield server


def test_scheme_on_a_connection_that_is_kept(server: Server) -> None:
    with server.connect() as sock:
        for _ in range(20):
            sock.sendall(GET.format("/seen").encode())
            answer(sock, b"\r\n\r\nhttps -")


def test_pipelining(server: Server) -> None:
    with server.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc" * 20)
        answers = b""
        while answers.count(b"\r\n\r\n3") < 20:
            answers += sock.recv(65536)


def test_large_bodies(server: Server) -> None:
    with server.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000)
        answer(sock, b"\r\n\r\n3000000")
        sock.sendall(GET.format("/big").encode())
        head, _, body = sock.recv(65536).partition(b"\r\n\r\n")
        size = len(body)
        while size < 50_000_000:
            size += len(sock.recv(1 << 20))
        assert b" 200 " in head
        assert size == 50_000_000
        sock.sendall(GET.format("/").encode())
        answer(sock, b"\r\n\r\n0")


def test_last_answer_ends_with_a_farewell(server: Server) -> None:
    """Without it the client could not tell the end from an attack, and would raise SSLEOFError."""
    refused = b"POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nConnection: close\r\n\r\n123456789"
    for request in (CLOSE, refused, b"GET /pushed/ticks HTTP/1.0\r\n\r\n", b"not a request\r\n\r\n"):
        with server.connect() as sock:
            sock.sendall(request)
            got = b""
            while data := sock.recv(65536):
                got += data
            assert got.startswith(b"HTTP/1.")


def test_client_that_only_sends_no_more(server: Server) -> None:
    """It has sent close_notify, which ends one direction (RFC 8446 §6.1), and gets its answer."""
    assert server.tls is not None
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = server.tls.wrap_bio(to_client, to_server)
    with socket.create_connection(("127.0.0.1", server.port), 30) as sock:

        def exchange() -> bool:
            """Whether anything came."""
            sock.sendall(to_server.read())
            data = sock.recv(65536)
            to_client.write(data)
            return bool(data)

        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                exchange()
        tls.write(GET.format("/").encode())
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.unwrap()
        got = b""
        while not got.endswith(b"\r\n\r\n0"):
            try:
                got += tls.read(65536)
            except ssl.SSLWantReadError:
                assert exchange(), got


def test_pushed_answers(server: Server) -> None:
    with server.connect() as sock:
        for _ in range(2):
            sock.sendall(GET.format("/pushed/ticks").encode())
            assert answer(sock, b"\r\n0\r\n\r\n").count(b"tick") == 3
    before = int(server.get("/left"))
    with server.connect() as sock:
        sock.sendall(GET.format("/pushed/flood").encode())
        for _ in range(100):
            assert sock.recv(65536)
    until(lambda: int(server.get("/left")) > before, "the body is told that its client is gone")


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01", CLOSE], ids=["nothing", "half a hello", "plain HTTP"])
def test_client_that_completes_no_handshake(server: Server, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 30) as sock:
        sock.sendall(sent)
        begun = time.monotonic()
        with contextlib.suppress(ConnectionResetError):
            while sock.recv(65536):  # an alert, perhaps
                pass
        assert time.monotonic() - begun < 20, "the deadline of a head is a second here"
    assert server.get() == "0"


def test_plain_http_is_told_of_https(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 30) as sock:
        sock.sendall(CLOSE)
        got = b""
        while data := sock.recv(65536):
            got += data
    assert got.startswith(b"HTTP/1.1 400 ")
    assert b"https://" in got
    assert re.search(rb"\r\nX-Request-Id: [0-9a-f]{32}\r\n", got)


def test_idle_connections_keep_no_processor_busy(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(server.connect()) for _ in range(20)]
        for sock in idle:
            sock.sendall(GET.format("/").encode())
            answer(sock, b"\r\n\r\n0")
        before = float(server.get("/processor-time"))
        assert server.get("/park/2") == "parked"
        assert float(server.get("/processor-time")) - before < 1, "of two seconds"


def test_client_certificates(tmp_path: Path, certificate: Certificate) -> None:
    known = certificate.client()
    known.load_cert_chain(certificate.cert, certificate.key)
    with serving(tmp_path, certificate, known, "--ca-certs", certificate.cert, "--cert-reqs", "2") as server:
        assert server.get("/seen") == "https -"
        server.tls = certificate.client()
        with pytest.raises((ssl.SSLError, ConnectionError)):
            server.get("/seen")
        server.tls = known
        assert server.get("/seen") == "https -"


def test_context_of_a_hook_and_ciphers(tmp_path: Path, certificate: Certificate) -> None:
    hooks = tmp_path / "hooks.py"
    hooks.write_text("""
def ssl_context(conf, default):
    import ssl
    context = default()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context
""")
    with (
        serving(tmp_path, certificate, certificate.client(), "-c", str(hooks), "--ciphers", "ECDHE-RSA-AES128-GCM-SHA256") as server,
        server.connect() as sock,
    ):
        assert isinstance(sock, ssl.SSLSocket)
        assert sock.version() == "TLSv1.2"
        assert (sock.cipher() or "")[0] == "ECDHE-RSA-AES128-GCM-SHA256"
        sock.sendall(GET.format("/seen").encode())
        answer(sock, b"\r\n\r\nhttps -")


def test_reload_under_load(tmp_path: Path, certificate: Certificate) -> None:
    client = certificate.client()
    with serving(tmp_path, certificate, client) as server, load(server.port, tls=client) as clients:
        old = set(clients.pids)
        server.process.send_signal(signal.SIGHUP)
        until(lambda: not old & set(clients.pids[-50:]), "answers of the new worker alone")
    assert clients.failures == []
