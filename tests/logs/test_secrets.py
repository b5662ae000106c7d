"""No secret is in the log, at whatever level, wherever a client sends it, nor those of the configuration."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.gateway import Gateway
from tests.live.xmppserver import GATEWAY
from tests.logs.test_lines import TEXT

SECRET = "s3cr3t-Of-Juliet"
ENCODED = base64.b64encode(f"admin@{GATEWAY}:{SECRET}".encode()).decode()
CONFIGURED = {"rest": {"credentials": f"Bearer fixed-{SECRET}"}, "link": {"kind": "component", "secret": f"link-{SECRET}", "port": 1}}
FORM = "application/x-www-form-urlencoded"
CALLS: list[tuple[str, str, dict[str, str], str]] = [
    *[("POST", path, {"Authorization": f"{scheme} {SECRET}"}, "{}") for path in ("/rest", "/api/status", "/data/x/y", "/status") for scheme in ("Basic", "Bearer", "Digest")],
    *[("POST", path, {"Authorization": f"Basic {ENCODED}"}, "{}") for path in ("/rest", "/api/status", "/api/messages", "/data/admin/vcard")],
    ("GET", f"/rest/stream?access_token={SECRET}", {}, ""), ("GET", f"/data/x?{SECRET}", {}, ""), ("GET", f"/nothing?{SECRET}#{SECRET}", {}, ""),
    ("POST", "/oauth/token", {"Content-Type": FORM}, f"grant_type=password&username=admin&password={SECRET}&client_id=x&client_secret={SECRET}"),
    ("POST", "/oauth/revoke", {"Content-Type": FORM}, f"token={SECRET}"), ("POST", "/oauth/authorization_token", {"Content-Type": FORM}, f"username=admin&password={SECRET}"),
    ("GET", f"/oauth/authorization_token?password={SECRET}&username=admin", {}, ""), ("POST", "/rest", {"Content-Type": "application/json"}, f'{{"body": "{SECRET}", '),
    ("POST", "/rest", {"X-Request-Id": f"{SECRET} x"}, "x"), ("POST", "/rest", {"Cookie": f"session={SECRET}"}, ""), ("POST", "/rest", {"Idempotency-Key": SECRET}, ""),
]  # fmt: skip
AUTHORISED: list[tuple[str, dict[str, Any]]] = [
    ("register", {"user": "romeo", "host": GATEWAY, "password": SECRET}), ("change_password", {"user": "romeo", "host": GATEWAY, "newpass": f"{SECRET}-new"}),
    ("check_password", {"user": "romeo", "host": GATEWAY, "password": SECRET}), ("oauth_revoke_token", {"token": SECRET}),
    ("oauth_add_client_password", {"client_id": "a", "client_name": "b", "secret": SECRET}),
    ("create_room_with_opts", {"room": "r", "service": f"conference.{GATEWAY}", "host": GATEWAY, "options": [{"name": "password", "value": SECRET}]}),
]  # fmt: skip
RAW = [
    f"GET /?{SECRET} HTTP/9.9\r\n\r\n", f"{SECRET}\r\n\r\n", f"GET /?token={SECRET} x HTTP/1.1\r\n\r\n", f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization {SECRET}\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: a\x00{SECRET}\r\n\r\n", f"GET / HTTP/1.1\r\nHost: {SECRET} x\r\n\r\n", f"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {SECRET}\r\n\r\n",
    f"GET http://u:{SECRET}@x/rest HTTP/1.1\r\nHost: x\r\n\r\n", f"POST / HTTP/1.1\r\nHost: x\r\nExpect: {SECRET}\r\n\r\n",
    f"CONNECT u:{SECRET}@x:1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
]  # fmt: skip


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    settings: dict[str, Any] = {"server": {"log_level": "debug", "log_levels": "audit=debug", "threads": 8}, "oauth": {"client_check": "allow"}}
    gateway = Gateway(tmp_path, 1, settings | CONFIGURED)
    gateway.start()
    yield gateway
    if gateway.running:
        gateway.stop()


def test_no_secret_is_logged(gateway: Gateway) -> None:
    for method, path, headers, body in CALLS:
        gateway.http.request(method, path, body=body.encode(), headers=headers)
    for command, arguments in AUTHORISED:
        gateway.post_json(arguments, "admin", f"/api/{command}")
    for text in RAW:
        with socket.create_connection(("127.0.0.1", gateway.port), 30) as sock:
            sock.sendall(text.encode("latin-1"))
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
    gateway.stop()
    log = gateway.output.read_text()
    assert log.count("xmpp_rest.access request ") >= len(CALLS) + len(AUTHORISED) + len(RAW)
    assert log.count("xmpp_rest.audit command ") >= len(AUTHORISED)
    assert log.count("xmpp_rest.auth refused ") >= 10
    for secret in (SECRET, SECRET[3:], base64.b64encode(SECRET.encode()).decode()[:16], ENCODED[:40]):
        assert not [line for line in log.splitlines() if secret in line]
    assert "Traceback" not in log
    assert " xmpp_rest.server Booting worker with pid: " in log
    assert [line for line in log.splitlines() if not TEXT.fullmatch(line)] == [], "gunicorn's lines too"
