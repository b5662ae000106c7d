"""A stanza is POSTed as documented, and every failure is bounded and named (rest-api §12)."""

from __future__ import annotations

import base64
import socket
import threading
import time
from collections.abc import Callable, Iterator
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from xmpp_rest.config.load import load_settings
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.service.callbacks.deadline_connections import MAX_ANSWER
from xmpp_rest.service.callbacks.http_client import CallbackClient, Unreachable, expand

STANZA = "<message from='juliet@capulet.example/b' to='bot@gateway.example' id='1' xml:lang='it'><body>Ciao &amp; &lt;</body></message>"
Handle = Callable[[BaseHTTPRequestHandler], object]


class Server(ThreadingHTTPServer):
    daemon_threads = True
    handle_with: Handle
    requests: list[tuple[str, str, Message, bytes]]
    ended: threading.Event  # the test is over

    def handle_error(self, *_: Any) -> None:
        """The client hung up, as it should."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.command, self.path, self.headers, body))
        self.server.handle_with(self)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(("127.0.0.1", 0), Handler)
    server.requests = []
    server.ended = threading.Event()
    server.handle_with = respond(200, b"")
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.ended.set()
    server.shutdown()
    server.server_close()


def respond(status: int, body: bytes, **fields: str) -> Handle:
    def handle(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in fields.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return handle


def webhook(url: str, **settings: str) -> CallbackClient:
    environ = {"XMPP_REST_CALLBACK_BOT_URL": url} | {f"XMPP_REST_CALLBACK_BOT_{k.upper()}": v for k, v in settings.items()}
    return CallbackClient(load_settings(None, environ).callbacks["bot"])


def test_callback_request_fields(server: Server) -> None:
    server.handle_with = respond(200, b"<message/>", Content_Type="application/xmpp+xml", Content_Language="it")
    hook = webhook(f"http://ro%40meo:p%3Aw@127.0.0.1:{server.server_port}/hook?kind={{kind}}")
    assert hook.post(parse_text(STANZA), "msg_1")[:4] == (200, "application/xmpp+xml", "it", b"<message/>")
    ((method, path, headers, body),) = server.requests
    assert (method, path, body.decode()) == ("POST", "/hook?kind=message", STANZA)
    assert headers["Content-Type"] == "application/xmpp+xml"
    assert headers["Content-Language"] == "it"
    assert headers["Accept"].startswith("application/xmpp+xml, ")
    assert "text/plain" in headers["Accept"]
    assert headers["Authorization"] == "Basic " + base64.b64encode(b"ro@meo:p:w").decode()
    assert headers["User-Agent"].startswith("xmpp-rest/")
    hook.close()


@pytest.mark.parametrize(
    ("stanza", "url"),
    [
        ("<message from='a@b/c d' to='ü@x' type='chat'/>", "/message/chat/%c3%bc%40x/a%40b%2fc%20d"),
        ("<message from='a' to='b'/>", "/message/normal/b/a"),
        ("<presence from='a.~_-A' to='{from}'/>", "/presence/available/%7bfrom%7d/a.~_-A"),
        ("<iq from='a'/>", "/iq///a"),
        ("<message type='..' from='a' to='b'/>", "/message/%2e%2e/b/a"),
        ("<message type='../..' from='a' to='b'/>", "/message/..%2f../b/a"),
    ],
)
def test_callback_url_placeholders(stanza: str, url: str) -> None:
    assert expand("/{kind}/{type}/{to}/{from}", parse_text(stanza)) == url


def test_callback_url_escapes_are_in_lower_case(server: Server) -> None:
    hook = webhook(f"http://127.0.0.1:{server.server_port}/{{type}}/{{to}}/{{from}}?from={{from}}")
    hook.post(parse_text("<message from='juliet@capulet.example/É' to='bot@gateway.example' type='..'/>"), "msg_1")
    sender = "juliet%40capulet.example%2f%c3%89"
    assert server.requests[0][1] == f"/%2e%2e/bot%40gateway.example/{sender}?from={sender}"
    hook.close()


def test_callback_connections_are_kept_alive(server: Server) -> None:
    peers = set()

    def handle(request: BaseHTTPRequestHandler) -> None:
        peers.add(request.client_address)
        respond(200, b"Ciao")(request)

    server.handle_with = handle
    hook = webhook(f"http://127.0.0.1:{server.server_port}/")
    assert [hook.post(parse_text(STANZA), "msg_1").body for _ in range(5)] == [b"Ciao"] * 5
    assert len(peers) == 1
    hook.close()


def test_callback_redirects_are_not_followed(server: Server) -> None:
    server.handle_with = respond(302, b"", Location="/elsewhere")
    hook = webhook(f"http://127.0.0.1:{server.server_port}/")
    assert hook.post(parse_text(STANZA), "msg_1").status == 302
    assert len(server.requests) == 1
    hook.close()


def test_callback_connection_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Unreachable, match="^connection refused$"):
        webhook(f"http://127.0.0.1:{port}/secret").post(parse_text(STANZA), "msg_1")


def test_callback_timeout(server: Server) -> None:
    server.handle_with = lambda _: server.ended.wait(60)
    started = time.monotonic()
    with pytest.raises(Unreachable, match="^timed out$"):
        webhook(f"http://127.0.0.1:{server.server_port}/", timeout="0.3").post(parse_text(STANZA), "msg_1")
    assert time.monotonic() - started < 30


def drip(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    drip_on(request)


def drip_fields(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Drops: ")
    drip_on(request)
    request.wfile.write(b"\r\nContent-Length: 0\r\n\r\n")


def drip_on(request: BaseHTTPRequestHandler) -> None:
    server = request.server
    assert isinstance(server, Server)
    for _ in range(600):
        request.wfile.write(b"x")
        request.wfile.flush()
        if server.ended.wait(0.1):
            return


@pytest.mark.parametrize("handle", [drip, drip_fields])
def test_callback_timeout_of_a_slow_answer(server: Server, handle: Handle) -> None:
    server.handle_with = handle
    started = time.monotonic()
    with pytest.raises(Unreachable, match="timed out"):
        webhook(f"http://127.0.0.1:{server.server_port}/", timeout="0.5").post(parse_text(STANZA), "msg_1")
    assert time.monotonic() - started < 30


def test_callback_answer_too_long(server: Server) -> None:
    server.handle_with = respond(200, b"x" * (MAX_ANSWER + 1))
    with pytest.raises(Unreachable, match="longer than"):
        webhook(f"http://127.0.0.1:{server.server_port}/").post(parse_text(STANZA), "msg_1")


def test_callback_connection_breaks_off(server: Server) -> None:
    def cut(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        request.wfile.write(b"half")
        request.wfile.flush()
        request.connection.shutdown(socket.SHUT_RDWR)

    server.handle_with = cut
    with pytest.raises(Unreachable, match="broke off"):
        webhook(f"http://127.0.0.1:{server.server_port}/").post(parse_text(STANZA), "msg_1")
