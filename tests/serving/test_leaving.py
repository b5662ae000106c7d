"""Clients that leave in the middle, or take their time."""

from __future__ import annotations

import os
import socket
import struct
import time
from pathlib import Path

import pytest

from tests.serving.worker_server import Server

PAUSE = 3.5  # seconds: longer than a connection is kept alive without a request


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def leave_with_a_reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


LEAVING = {"by a reset": leave_with_a_reset, "by closing": socket.socket.close, "without telling": lambda _: None}


@pytest.mark.parametrize("way", LEAVING)
def test_clients_that_leave_a_long_answer_leave_nothing_behind(server: Server, way: str) -> None:
    pid = int(server.get("/pid"))
    before = descriptors(pid)
    crowd = []
    for _ in range(5):
        crowd.append(sock := server.connect())
        sock.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")  # at once: HEAD_SECONDS is 1 here
        assert sock.recv(1) == b"H"
    for sock in crowd:
        LEAVING[way](sock)
    until = time.monotonic() + 30
    while descriptors(pid) > before and time.monotonic() < until:
        time.sleep(0.05)
    assert descriptors(pid) <= before
    for sock in crowd:
        sock.close()


def test_slow_reader_has_the_whole_answer(tmp_path: Path) -> None:
    server = Server(tmp_path, "--keep-alive", "1")
    try:
        with socket.socket() as sock:
            sock.settimeout(30)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", server.port))
            sock.sendall(b"GET /patient HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(PAUSE)
            got = b""
            while data := sock.recv(65536):  # then it has been idle for long enough
                got += data
        assert len(got.partition(b"\r\n\r\n")[2]) == 250_000
    finally:
        server.stop()
        server.log.close()


def test_requests_that_begin_to_wait_after_their_client_has_left(server: Server) -> None:
    with server.connect() as sock:
        sock.sendall(b"GET /wait/60 HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
        sock.shutdown(socket.SHUT_WR)
        begun, got = time.monotonic(), b""
        while data := sock.recv(65536):
            got += data
    assert got.count(b"\r\n\r\nNone") == 3
    assert time.monotonic() - begun < 30


def test_a_client_that_neither_takes_the_answer_nor_sends_the_body_holds_nothing(server: Server) -> None:
    pid = int(server.get("/pid"))
    before = descriptors(pid)
    with server.connect() as sock:
        sock.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n" + b"x" * 65536)
        assert sock.recv(1) == b"H"
        until = time.monotonic() + 30
        while descriptors(pid) > before and time.monotonic() < until:
            time.sleep(0.05)
        assert descriptors(pid) <= before
