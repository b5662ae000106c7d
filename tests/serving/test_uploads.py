"""Files of any size through real servers: in constant memory, refused before they are read, kept whole or not at all (files §2.2)."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from urllib3.util import make_headers

from tests.live.child import LOOPBACK
from tests.live.gateway import PASSWORD, Gateway
from xmpp_rest.config.worker_class import OWN

AUTHORIZATION = make_headers(basic_auth=f"admin:{PASSWORD}")["authorization"]
PIECE = bytes(range(256)) * 1024
SIZE = 64 << 20
MOST = 70 << 20
MEMORY = 32 << 20


@pytest.fixture(scope="module", params=[OWN, "gthread"])
def gateway(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Gateway]:
    server = {"threads": 8, "workers": 1, "worker_class": request.param, "public_url": "https://gw.example"}
    made = Gateway(tmp_path_factory.mktemp("uploads"), 1, {"server": server, "link": {"kind": "none"}, "files": {"max_size": MOST}})
    made.start()
    yield made
    made.stop()


def pieces(size: int) -> Iterator[bytes]:
    for _ in range(size // len(PIECE)):
        yield PIECE


def post(gateway: Gateway, body: Iterable[bytes], query: str = "", **fields: str) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(LOOPBACK, gateway.port, timeout=120)
    named = {"Authorization": AUTHORIZATION} | {name.replace("_", "-"): value for name, value in fields.items()}
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the answer may come before all is sent
            connection.request("POST", f"/rest/files{query}", body, named, encode_chunked="Transfer-Encoding" in named)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def peaks(gateway: Gateway) -> list[int]:
    """The most memory that each of its processes has had, in bytes."""
    assert gateway._process is not None
    parent = gateway._process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    lines = [Path(f"/proc/{pid}/status").read_text() for pid in (str(parent), *children)]
    return [int(text.partition("VmHWM:")[2].split()[0]) * 1024 for text in lines]


def used(gateway: Gateway) -> int:
    return int(gateway.request("GET", "/rest/files", user="admin").json()["used"])


def test_memory_does_not_grow_with_the_file(gateway: Gateway) -> None:
    assert post(gateway, [PIECE], Content_Length=str(len(PIECE)))[0] == 201  # all that is imported late is there
    before = peaks(gateway)
    expected = hashlib.sha256(PIECE * (SIZE // len(PIECE))).hexdigest()
    status, said = post(gateway, pieces(SIZE), "?name=a.bin", Content_Length=str(SIZE))
    assert (status, said["size"], said["sha-256"]) == (201, SIZE, expected)
    status, said = post(gateway, pieces(SIZE), Transfer_Encoding="chunked", Content_Type="text/plain")
    assert (status, said["size"], said["sha-256"], said["name"]) == (201, SIZE, expected, "file.txt")
    head = b'--B\r\nContent-Disposition: form-data; name="f"; filename="b.bin"\r\nContent-Type: x/y\r\n\r\n'
    end = b'\r\n--B\r\nContent-Disposition: form-data; name="name"\r\n\r\nc.bin\r\n--B--\r\n'
    length = str(len(head) + SIZE + len(end))
    status, said = post(gateway, [head, *pieces(SIZE), end], Content_Length=length, Content_Type="multipart/form-data; boundary=B")
    assert (status, said["size"], said["sha-256"], said["name"]) == (201, SIZE, expected, "c.bin")
    growth = [after - was for after, was in zip(peaks(gateway), before, strict=True)]
    assert max(growth) < MEMORY, growth


def test_what_cannot_be_taken_is_refused_at_once(gateway: Gateway) -> None:
    before = used(gateway)
    for query, size, status in (("", MOST + 1, 413), ("?x=y", SIZE, 422)):
        with socket.create_connection((LOOPBACK, gateway.port), 60) as sock:
            head = f"POST /rest/files{query} HTTP/1.1\r\nHost: x\r\nAuthorization: {AUTHORIZATION}\r\nContent-Length: {size}\r\n\r\n"
            sock.sendall(head.encode() + PIECE)
            assert sock.recv(65536).startswith(b"HTTP/1.1 %d " % status)  # though most of it has not been sent
    with socket.create_connection((LOOPBACK, gateway.port), 60) as sock:
        head = f"POST /rest/files HTTP/1.1\r\nHost: x\r\nAuthorization: {AUTHORIZATION}\r\nExpect: 100-continue\r\nContent-Length: {MOST + 1}\r\n\r\n"
        sock.sendall(head.encode())
        came = sock.recv(65536).removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")  # gunicorn's own workers say so before they ask
        assert (came or sock.recv(65536)).startswith(b"HTTP/1.1 413 ")
    assert post(gateway, pieces(MOST + len(PIECE)), Transfer_Encoding="chunked")[0] == 413
    assert used(gateway) == before


def test_nothing_is_kept_of_what_breaks_off(gateway: Gateway) -> None:
    before = used(gateway)
    with socket.create_connection((LOOPBACK, gateway.port), 60) as sock:
        head = f"POST /rest/files HTTP/1.1\r\nHost: x\r\nAuthorization: {AUTHORIZATION}\r\nContent-Length: {SIZE}\r\n\r\n"
        sock.sendall(head.encode() + PIECE * 8)
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(65536)[:13] in (b"HTTP/1.1 400 ", b"")
    until = time.monotonic() + 60
    while used(gateway) != before:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert not list((gateway.folder / "data/files").rglob("*.part"))
