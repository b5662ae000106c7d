"""Uploads and downloads over the wire: two processes, constant memory, a killed leader (files §2.2, §6)."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.metrics.two_workers import TwoWorkers

pytestmark = pytest.mark.timeout(180)
ADMIN = {"Authorization": f"Basic {base64.b64encode(b'admin@localhost:parting-is-such').decode()}"}
PIECE = bytes(range(256)) * 1024  # 256 KiB
SIZE = 64 << 20  # bytes
GROWTH = 32 << 20  # bytes that a process may grow by, whatever the size
DEADLINE = 60.0  # seconds


class Said(NamedTuple):
    """An answer."""

    status: int
    fields: dict[str, str]
    body: bytes


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoWorkers]:
    workers = TwoWorkers(tmp_path_factory.mktemp("workers"))
    yield workers
    workers.stop()


def ask(
    workers: TwoWorkers, method: str, path: str, body: bytes | Iterator[bytes] | None = None, fields: dict[str, str] | None = None
) -> Said:
    """One request on a connection of its own, which goes to any of the processes."""
    connection = HTTPConnection("127.0.0.1", workers.port, timeout=60)
    try:
        connection.request(method, path, body, fields or {})
        answer = connection.getresponse()
        return Said(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())
    finally:
        connection.close()


def slot(workers: TwoWorkers, size: int) -> tuple[str, dict[str, str]]:
    """The path of a slot, and the fields of its upload."""
    path = f"/rest/upload_request/localhost?filename=big.bin&size={size}"
    said = ask(workers, "GET", path, None, ADMIN | {"Accept": "application/json"})
    assert said.status == 200, said
    put = json.loads(said.body)["upload_slot"]["put"]
    return re.sub(r"https?://[^/]+", "", put["url"]), {field["name"]: field["value"] for field in put["headers"]}


def pieces(size: int) -> Iterator[bytes]:
    for at in range(0, size, len(PIECE)):
        yield PIECE[: size - at]


def memory(pid: int, name: str) -> int:
    match = re.search(rf"^{name}:\s+([0-9]+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert match is not None
    return int(match[1]) << 10


class Growth:
    """By how much the processes have grown since this was made."""

    def __init__(self, workers: TwoWorkers) -> None:
        self.before = {}
        for pid in workers.workers:
            with suppress(OSError):  # where that may not be written, the peak is that of the process's life
                Path(f"/proc/{pid}/clear_refs").write_text("5")
            self.before[pid] = memory(pid, "VmHWM")

    def most(self) -> int:
        return max(memory(pid, "VmHWM") - before for pid, before in self.before.items())


def test_many_bytes_take_little_memory(workers: TwoWorkers) -> None:
    small, fields = slot(workers, 5)
    assert ask(workers, "PUT", small, b"first", fields).status == 201  # what is done once is done
    path, fields = slot(workers, SIZE)
    growth = Growth(workers)
    assert ask(workers, "PUT", path, pieces(SIZE), fields | {"Content-Length": str(SIZE)}).status == 201
    assert growth.most() < GROWTH
    growth, sums = Growth(workers), hashlib.sha256()
    connection = HTTPConnection("127.0.0.1", workers.port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    while piece := answer.read(1 << 20):
        sums.update(piece)
    connection.close()
    assert answer.headers["ETag"] == f'"{sums.hexdigest()}"'
    assert growth.most() < GROWTH
    said = ask(workers, "GET", path, None, {"Range": f"bytes={SIZE - 3}-"})
    assert (said.status, said.body) == (206, PIECE[-3:])


def test_every_process_takes_every_token(workers: TwoWorkers) -> None:
    for number in range(12):
        path, fields = slot(workers, 6)
        assert ask(workers, "PUT", path, b"%06d" % number, fields).status == 201
        assert {ask(workers, "GET", path).body for _ in range(4)} == {b"%06d" % number}
        assert ask(workers, "PUT", path, b"second", fields).status == 409


def test_an_answer_that_comes_early_is_seen(workers: TwoWorkers) -> None:
    """The client sends on for a while; what it is told reaches it nevertheless."""
    path, _ = slot(workers, 1 << 20)
    with socket.create_connection(("127.0.0.1", workers.port), timeout=30) as sock:
        sock.sendall(f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {1 << 20}\r\n\r\n".encode() + b"x" * (1 << 20))
        assert sock.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_what_is_sent_in_chunks_needs_a_length(workers: TwoWorkers) -> None:
    path, fields = slot(workers, 3)
    assert ask(workers, "PUT", path, iter([b"abc"]), fields).status == 411


def test_a_client_that_leaves_keeps_its_slot(workers: TwoWorkers) -> None:
    path, fields = slot(workers, 10)
    with socket.create_connection(("127.0.0.1", workers.port), timeout=30) as sock:
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        sock.sendall(f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n{head}\r\n01234".encode())
    assert ask(workers, "GET", path).status == 404
    assert ask(workers, "PUT", path, b"0123456789", fields).status == 201


def test_a_killed_leader(workers: TwoWorkers) -> None:
    """What was confirmed is there; what was under way is not, and its slot is good still; quotas are as they were."""
    kept, fields = slot(workers, 4)
    assert ask(workers, "PUT", kept, b"kept", fields).status == 201
    path, fields = slot(workers, 1 << 20)
    sock = socket.create_connection(("127.0.0.1", workers.port), timeout=30)
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    sock.sendall(f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {1 << 20}\r\n{head}\r\n".encode() + b"x" * (1 << 19))
    folder, end = workers.folder / "data" / "files", time.monotonic() + DEADLINE
    while not list(folder.rglob("*.part")):
        assert time.monotonic() < end
        time.sleep(0.02)
    for pid in workers.workers:
        os.kill(pid, signal.SIGKILL)
    sock.close()
    while True:
        try:
            if ask(workers, "GET", kept).body == b"kept":
                break
        except (OSError, HTTPException):
            assert time.monotonic() < end
        time.sleep(0.05)
    assert ask(workers, "GET", path).status == 404
    assert ask(workers, "PUT", path, b"x" * (1 << 20), fields).status == 201
    assert ask(workers, "GET", path).body == b"x" * (1 << 20)
