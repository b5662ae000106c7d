"""Connections to a callback's URL: kept ones that have ended, TLS, and deadlines of what is not the answer."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.service.callbacks.test_http_client import webhook
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.service.callbacks.deadline_connections import DeadlineConnections, Endpoint
from xmpp_rest.service.callbacks.http_client import CallbackClient, Unreachable, target_of

MESSAGE = "<message from='juliet@capulet.example/b' to='bot@gateway.example' id='1'><body>Ciao</body></message>"
IQ = "<iq type='get' from='juliet@capulet.example/b' to='bot@gateway.example' id='1'><ping xmlns='urn:xmpp:ping'/></iq>"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
Serve = Callable[[socket.socket, int], object]
"""Serves a connection of this number, from 0."""


class Scripted:
    """A server whose connections are served by a function, each on a thread; it counts requests by their heads."""

    def __init__(self, serve: Serve) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self._serve = serve
        self._threads: list[threading.Thread] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._run, args=(connection, self.connections), daemon=True))
            self.connections += 1
            self._threads[-1].start()

    def _run(self, connection: socket.socket, number: int) -> None:
        with connection:
            connection.settimeout(30)
            self._serve(connection, number)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(30)
        for thread in self._threads:
            thread.join(30)


@pytest.fixture
def scripted() -> Iterator[Callable[[Serve], Scripted]]:
    made: list[Scripted] = []

    def make(serve: Serve) -> Scripted:
        made.append(Scripted(serve))
        return made[-1]

    yield make
    for server in made:
        server.close()


@pytest.fixture
def hook() -> Iterator[Callable[..., CallbackClient]]:
    made: list[CallbackClient] = []

    def make(url: str, **settings: str) -> CallbackClient:
        made.append(webhook(url, **settings))
        return made[-1]

    yield make
    for client in made:
        client.close()


def request(connection: socket.socket) -> bytes:
    """One request: its head, and a body as long as that says; what came of it before the client closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := connection.recv(65536)):
            return data
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")), 0)
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def closes_instead_of_answering(begun: bytes) -> Serve:
    """The first connection answers one request, and closes after it has read the second one; others answer."""

    def serve(connection: socket.socket, number: int) -> None:
        request(connection)
        connection.sendall(OK)
        if request(connection):
            connection.sendall(OK if number else begun)

    return serve


def test_a_kept_connection_that_the_server_closes_under_a_message(
    scripted: Callable[[Serve], Scripted], hook: Callable[..., CallbackClient]
) -> None:
    server = scripted(closes_instead_of_answering(b""))
    client = hook(f"http://127.0.0.1:{server.port}/")
    assert [client.post(parse_text(MESSAGE), "msg_1").status for _ in range(2)] == [200, 200]
    assert server.connections == 2


@pytest.mark.parametrize(("stanza", "begun", "keep"), [(IQ, b"", "disk"), (MESSAGE, b"HTTP/1.1 2", "disk"), (MESSAGE, b"", "memory")])
def test_what_may_have_been_done_is_not_sent_again_at_once(
    scripted: Callable[[Serve], Scripted], hook: Callable[..., CallbackClient], stanza: str, begun: bytes, keep: str
) -> None:
    server = scripted(closes_instead_of_answering(begun))
    client = hook(f"http://127.0.0.1:{server.port}/", keep=keep)
    assert client.post(parse_text(stanza), "msg_1").status == 200
    with pytest.raises(Unreachable, match="^the connection broke off$"):
        client.post(parse_text(stanza), "msg_1")
    assert server.connections == 1


def test_a_new_connection_that_breaks_is_not_tried_again(scripted: Callable[[Serve], Scripted], hook: Callable[..., CallbackClient]) -> None:
    server = scripted(lambda connection, _: request(connection))
    with pytest.raises(Unreachable, match="^the connection broke off$"):
        hook(f"http://127.0.0.1:{server.port}/").post(parse_text(MESSAGE), "msg_1")
    assert server.connections == 1


@pytest.mark.parametrize("fields", [b"Connection: close\r\n", b"Content-Length: 2\r\nConnection: close\r\n"])
def test_a_connection_that_the_server_ends_is_not_kept(
    scripted: Callable[[Serve], Scripted], hook: Callable[..., CallbackClient], fields: bytes
) -> None:
    def serve(connection: socket.socket, _: int) -> None:
        request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\nhi")

    server = scripted(serve)
    client = hook(f"http://127.0.0.1:{server.port}/")
    assert [client.post(parse_text(IQ), "msg_1").body for _ in range(2)] == [b"hi", b"hi"]
    assert server.connections == 2


WHOLE = (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",)
IN_PIECES = (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"h", b"i")
HEAD_IN_PIECES = (b"HTTP/1.1 200 OK\r\nConte", b"nt-Length: 2\r\n\r\nhi")
CHUNKED = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1;x=y\r\n", b"i\r\n0\r\nX: y\r\n\r\n")
CONTINUED = (b"HTTP/1.1 100 Continue\r\n\r\n", *WHOLE)
BEFORE_1_1 = (b"HTTP/1.0 200 OK\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nhi",)
TOO_MUCH = (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi!",)


@pytest.mark.parametrize(
    ("pieces", "connections"),
    [(WHOLE, 1), (IN_PIECES, 1), (HEAD_IN_PIECES, 1), (CHUNKED, 1), (CONTINUED, 1), (BEFORE_1_1, 1), (TOO_MUCH, 2)],
)
def test_answers_that_come_in_pieces(
    scripted: Callable[[Serve], Scripted], hook: Callable[..., CallbackClient], pieces: Sequence[bytes], connections: int
) -> None:
    """The connection is kept, unless more came than was said."""

    def serve(connection: socket.socket, _: int) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while request(connection):
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(0.02)  # so that the next one is read by itself

    server = scripted(serve)
    client = hook(f"http://127.0.0.1:{server.port}/")
    assert [client.post(parse_text(MESSAGE), "msg_1").body for _ in range(2)] == [b"hi", b"hi"]
    assert server.connections == connections


def test_a_name_that_is_not_resolved_in_time(hook: Callable[..., CallbackClient], monkeypatch: pytest.MonkeyPatch) -> None:
    ended, look_up = threading.Event(), socket.getaddrinfo

    def slow(host: str, *rest: Any) -> Any:
        if host == "slow.example" and socket.AI_NUMERICHOST not in rest:
            ended.wait(60)
        return look_up(host, *rest)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    started = time.monotonic()
    with pytest.raises(Unreachable, match="^timed out$"):
        hook("http://slow.example/", timeout="0.3").post(parse_text(MESSAGE), "msg_1")
    assert time.monotonic() - started < 30
    ended.set()


def test_a_name_that_is_resolved(scripted: Callable[[Serve], Scripted], hook: Callable[..., CallbackClient]) -> None:
    server = scripted(lambda connection, _: (request(connection), connection.sendall(OK)))
    assert hook(f"http://localhost:{server.port}/").post(parse_text(MESSAGE), "msg_1").body == b"hi"


def test_a_name_that_does_not_exist(hook: Callable[..., CallbackClient], monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Unreachable, match="^the host name cannot be resolved$"):
        hook("http://nobody.example/").post(parse_text(MESSAGE), "msg_1")


def test_a_body_that_nobody_reads_has_the_deadline(scripted: Callable[[Serve], Scripted], hook: Callable[..., CallbackClient]) -> None:
    ended = threading.Event()
    server = scripted(lambda _connection, _number: ended.wait(60))
    started = time.monotonic()
    with pytest.raises(Unreachable, match="^timed out$"):
        hook(f"http://127.0.0.1:{server.port}/", timeout="0.5").post(parse_text(MESSAGE.replace("Ciao", "x" * 20_000_000)), "msg_1")
    assert time.monotonic() - started < 30
    ended.set()


def test_only_so_many_are_kept(scripted: Callable[[Serve], Scripted]) -> None:
    def serve(connection: socket.socket, _: int) -> None:
        while request(connection):
            connection.sendall(OK)

    servers = [scripted(serve) for _ in range(3)]
    connections = DeadlineConnections(2)
    targets = [Endpoint(False, "127.0.0.1", server.port, "/", "x") for server in servers]
    for target in (*targets, *targets[1:], *targets[:1]):
        assert connections.request("POST", target, {}, b"", 10, repeatable=False).body == b"hi"
    assert [server.connections for server in servers] == [2, 1, 1]
    connections.close()
    assert connections.request("POST", targets[0], {}, b"", 10, repeatable=False).status == 200
    assert connections.request("POST", targets[0], {}, b"", 10, repeatable=False).status == 200
    assert servers[0].connections == 4, "after the end none is kept"


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost, with its key in the same file, that signs itself."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", *names]
    subprocess.run([*command, "-keyout", str(path), "-out", f"{path}.crt"], check=True, capture_output=True, timeout=30)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


def over_tls(certificate: Path) -> Serve:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve(connection: socket.socket, _: int) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as secured:
                while request(secured):
                    secured.sendall(OK)
        except OSError:
            return  # the client has hung up

    return serve


@pytest.mark.parametrize(("host", "trusted", "reason"), [("localhost", True, ""), ("localhost", False, "certificate"), ("127.0.0.1", True, "certificate")])
def test_certificates_are_checked(
    scripted: Callable[[Serve], Scripted], hook: Callable[..., CallbackClient], certificate: Path, monkeypatch: pytest.MonkeyPatch,
    host: str, trusted: bool, reason: str,
) -> None:  # fmt: skip
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server = scripted(over_tls(certificate))
    client = hook(f"https://{host}:{server.port}/")
    if reason:
        with pytest.raises(Unreachable, match=reason):
            client.post(parse_text(MESSAGE), "msg_1")
        return
    assert [client.post(parse_text(MESSAGE), "msg_1").body for _ in range(3)] == [b"hi"] * 3
    assert server.connections <= 2  # a ticket that comes after the answer makes a kept connection useless


def test_a_handshake_that_is_not_answered(scripted: Callable[[Serve], Scripted], hook: Callable[..., CallbackClient]) -> None:
    ended = threading.Event()
    server = scripted(lambda _connection, _number: ended.wait(60))
    with pytest.raises(Unreachable, match="^timed out$"):
        hook(f"https://127.0.0.1:{server.port}/", timeout="0.4").post(parse_text(MESSAGE), "msg_1")
    ended.set()


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://x.example", (False, "x.example", 80, "/", "x.example")),
        ("https://x.example:8443/a?b=%C3%BC", (True, "x.example", 8443, "/a?b=%c3%bc", "x.example:8443")),
        ("http://[::1]:80/./a/../b/.", (False, "::1", 80, "/b/", "[::1]")),
        ("http://b\u00fccher.example/\u00fc%zz|", (False, "xn--bcher-kva.example", 80, "/%c3%bc%25zz%7c", "xn--bcher-kva.example")),
        ("http://x.example/a?b=/../c#d", (False, "x.example", 80, "/a?b=/../c", "x.example")),
    ],
)
def test_targets(url: str, target: tuple[object, ...]) -> None:
    assert target_of(url) == target


def test_a_host_that_cannot_be_written(hook: Callable[..., CallbackClient]) -> None:
    with pytest.raises(Unreachable, match="^the URL is not valid$"):
        hook(f"http://{'x' * 70}.\u00fc/").post(parse_text(MESSAGE), "msg_1")
