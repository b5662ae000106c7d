"""Answers that are written by those who have something to say."""

from __future__ import annotations

import time

from tests.serving.worker_server import Server, answer


def test_pushed_answer_in_chunks(server: Server) -> None:
    with server.connect() as sock:
        for _ in range(2):  # the connection is kept
            sock.sendall(b"GET /pushed/ticks HTTP/1.1\r\nHost: x\r\n\r\n")
            got = answer(sock, b"\r\n0\r\n\r\n")
            assert b"Transfer-Encoding: chunked\r\n" in got
            assert got.partition(b"\r\n\r\n")[2] == b"".join(b"7\r\ntick %d\n\r\n" % n for n in range(3)) + b"0\r\n\r\n"
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            answer(sock, b"\r\n\r\n0")


def test_pushed_answer_up_to_the_end_of_the_connection(server: Server) -> None:
    with server.connect() as sock:
        sock.sendall(b"GET /pushed/ticks HTTP/1.0\r\n\r\n")
        got = b""
        while data := sock.recv(65536):
            got += data
    assert got.partition(b"\r\n\r\n")[2] == b"tick 0\ntick 1\ntick 2\n"


def test_client_that_leaves_a_pushed_answer(server: Server) -> None:
    before = int(server.get("/left"))
    with server.connect() as sock:
        sock.sendall(b"GET /pushed/ticks HTTP/1.1\r\nHost: x\r\n\r\n")
        answer(sock, b"tick 0\n\r\n")
    until = time.monotonic() + 30
    while int(server.get("/left")) == before and time.monotonic() < until:
        time.sleep(0.02)
    assert int(server.get("/left")) == before + 1


def test_client_that_takes_nothing_of_a_pushed_answer(server: Server) -> None:
    before = int(server.get("/left"))
    with server.connect() as sock:
        sock.sendall(b"GET /pushed/flood HTTP/1.1\r\nHost: x\r\n\r\n")
        until = time.monotonic() + 30
        while int(server.get("/left")) == before and time.monotonic() < until:
            time.sleep(0.1)
        assert int(server.get("/left")) == before + 1
