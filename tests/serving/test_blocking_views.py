"""A view that blocks, or computes, does not stop the others."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.serving.load import until
from tests.serving.worker_server import THREADS, Server, answer


@pytest.fixture
def asked(server: Server) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(server.connect()) for _ in range(THREADS)]


def hold(server: Server, asked: list[socket.socket], how: str) -> None:
    """Ask for a view, on each of these connections, that goes on for a minute unless it is released."""
    for sock in asked:
        sock.sendall(f"GET /hold/{how} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    until(lambda: server.get("/held") == str(len(asked)), "all of them have begun")


@pytest.mark.parametrize("how", ["block", "compute"])
def test_one_view_does_not_stop_others(server: Server, asked: list[socket.socket], how: str) -> None:
    hold(server, asked[:1], how)
    for _ in range(5):
        assert server.get() == "0"
    assert server.get("/release") == ""
    answer(asked[0], b"released")


def test_threads_that_block_at_once(server: Server, asked: list[socket.socket]) -> None:
    hold(server, asked[1:], "block")
    assert server.get() == "0"  # the last thread serves
    assert server.get("/release") == ""
    for sock in asked[1:]:
        answer(sock, b"released")


def test_more_views_block_than_there_are_threads(server: Server) -> None:
    """They wait for one another, and nothing is lost."""
    done: list[bytes] = []

    def ask() -> None:
        with server.connect() as sock:
            sock.settimeout(30)
            sock.sendall(b"GET /block/1 HTTP/1.1\r\nHost: x\r\n\r\n")
            done.append(answer(sock, b"blocked"))

    threads = [threading.Thread(target=ask) for _ in range(THREADS * 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == THREADS * 3
    assert server.get() == "0"
