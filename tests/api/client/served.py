"""A gateway that serves on loopback as it does in earnest, and readers of its event streams on real sockets."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.api.client.reader import Received, parse
from tests.conftest import DOMAIN, PASSWORD, basic
from xmpp_rest.application import build
from xmpp_rest.config.load import load_settings

ROOT = Path(__file__).parents[3]


class Served:
    """One gateway process."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port = port
        self.process = process

    def request(self, method: str, path: str, as_: str, body: Any = None) -> tuple[int, Any]:
        """Status and JSON body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            headers = basic(as_) | {"Content-Type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            data = response.read()
            return response.status, json.loads(data) if data else None

    def send(self, to: str, body: str, as_: str) -> str:
        status, answer = self.request("POST", "/api/messages", as_, {"to": to, "body": body})
        assert status == 200, answer
        identifier: str = answer["id"]
        return identifier


class Listener:
    """One stream on a socket of its own."""

    def __init__(self, server: Served, as_: str, path: str = "/api/sse", *, buffer: int = 0, **headers: str) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(30)
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.connect(("127.0.0.1", server.port))
        fields = "".join(f"{name}: {value}\r\n" for name, value in (basic(as_) | headers).items())
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode())
        self.response = http.client.HTTPResponse(self.socket)
        self.response.begin()
        self.status = self.response.status

    def blocks(self) -> Iterator[bytes]:
        """Comments and events, until the server ends the stream."""
        block = b""
        while line := self.response.readline():
            block += line
            if line == b"\n":
                yield block
                block = b""

    def events(self) -> Iterator[Received]:
        return (parse(block) for block in self.blocks() if not block.startswith(b":"))

    def close(self) -> None:
        self.response.close()
        self.socket.close()


@contextlib.contextmanager
def serve(folder: Path, **settings: str) -> Iterator[Served]:
    """A process that serves with these settings, with the accounts juliet and nurse. It is ended, and waited for."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    values = {"server_data_dir": str(folder), "server_bind": f"127.0.0.1:{port}", "gateway_domain": DOMAIN, "auth_iterations": "4096"}
    values |= {"auth_admin_password": PASSWORD, "server_log_level": "warning"} | settings
    environ = {f"XMPP_REST_{name.upper()}": value for name, value in values.items()}
    gateway = build(load_settings(None, environ)).extensions["gateway"]
    for user in ("juliet", "nurse"):
        gateway.parts.accounts.register(gateway.parts.accounts.address(user, values["gateway_domain"]), PASSWORD)
    gateway.stop()
    process = subprocess.Popen([sys.executable, "-m", "xmpp_rest", "serve"], cwd=ROOT, env=os.environ | environ)
    try:
        _await(port, process)
        yield Served(port, process)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError("the gateway does not serve")
