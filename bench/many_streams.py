"""Measures many event streams of many accounts: how soon all have a message for each account, and what they cost while nothing happens."""

from __future__ import annotations

import base64
import http.client
import json
import resource
import selectors
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from bench.load import Clock, Measured
from tests.live.gateway import PASSWORD, TOKEN, Sections
from tests.live.xmppserver import GATEWAY

STREAMS, ACCOUNTS = 5000, 600
IDLE = 5.0  # seconds in which nothing happens
REFUSED = 50
PATIENCE = 15.0  # seconds for all to have their message
TEXT = "hear ye"
SECTIONS: Sections = {
    "link": {"kind": "none"},
    "streams": {"total": STREAMS, "per_account": STREAMS // ACCOUNTS + 1, "heartbeat": 60},
}


def many_streams(port: int, pids: Sequence[int]) -> tuple[Measured, str]:
    """STREAMS streams of ACCOUNTS accounts, one message to each account; events per second, and a remark."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    admin = {"Authorization": _basic("admin")}
    registered = ({"command": "register", "arguments": {"user": f"u{n}", "host": GATEWAY, "password": PASSWORD}} for n in range(ACCOUNTS))
    _post_lines(port, "/api", registered, admin)
    started = time.monotonic()
    readers = list(_open_all(port))
    opened = time.monotonic() - started
    clock = Clock(pids)
    time.sleep(IDLE)
    idle = clock.each(1)[0] / IDLE / 1e4  # µs of one second → per cent
    with selectors.DefaultSelector() as selector:
        for reader in readers:
            selector.register(reader, selectors.EVENT_READ)
        clock, began = Clock(pids), time.monotonic()
        said = ({"to": f"u{n}@{GATEWAY}", "type": "chat", "body": TEXT} for n in range(ACCOUNTS))
        sender = _start_lines(port, "/rest", said, {"Authorization": f"Bearer {TOKEN}"})
        delays = sorted(islice(_hear(selector, began), len(readers)))
        sender.getresponse().read()
        sender.close()
    for reader in readers:
        reader.close()
    last = delays[-1] if delays else 0.0
    remark = (
        f"{len(readers):,} of {STREAMS:,} streams opened in {opened:.1f} s; {len(delays):,} had their message after {last / 1000:.2f} s;"
        f" idle: {idle:.1f} % of a processor"
    )
    p50, p99 = (delays[len(delays) // 2], delays[len(delays) * 99 // 100]) if delays else (0.0, 0.0)
    return Measured(len(delays) / max(last / 1000, 0.001), *clock.each(len(delays)), p50, p99, bad=STREAMS - len(delays)), remark


def _basic(user: str) -> str:
    return "Basic " + base64.b64encode(f"{user}@{GATEWAY}:{PASSWORD}".encode()).decode()


def _start_lines(port: int, path: str, lines: Iterator[object], headers: Mapping[str, str]) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    body = "".join(json.dumps(line) + "\n" for line in lines)
    connection.request("POST", path, body, {**headers, "Content-Type": "application/x-ndjson"})
    return connection


def _post_lines(port: int, path: str, lines: Iterator[object], headers: Mapping[str, str]) -> None:
    connection = _start_lines(port, path, lines, headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    if answer.status != 200 or b'"error"' in text:
        raise RuntimeError(text[:500].decode())


def _open_all(port: int) -> Iterator[socket.socket]:
    """Open streams, until there are STREAMS or so many have been refused that the server takes no more."""
    refused = 0
    for n in range(STREAMS):
        reader = _open(port, f"u{n % ACCOUNTS}")
        if reader is not None:
            yield reader
            continue
        refused += 1
        if refused == REFUSED:
            return


def _open(port: int, user: str) -> socket.socket | None:
    """An open stream; None where the server refuses it."""
    s = socket.create_connection(("127.0.0.1", port), 30)
    s.sendall(f"GET /rest/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: {_basic(user)}\r\n\r\n".encode())
    if b" 200 " in s.recv(4096):
        return s
    s.close()
    return None


def _hear(selector: selectors.BaseSelector, began: float) -> Iterator[float]:
    """ms until each reader had its message, in the order in which they had it, for PATIENCE seconds."""
    data: dict[int, bytes] = {}
    while (left := began + PATIENCE - time.monotonic()) > 0:
        for key, _ in selector.select(left):
            assert isinstance(key.fileobj, socket.socket)
            received = key.fileobj.recv(65536)
            data[key.fd] = data.get(key.fd, b"") + received
            if TEXT.encode() in data[key.fd] or not received:
                selector.unregister(key.fileobj)
                if received:
                    yield (time.monotonic() - began) * 1000
