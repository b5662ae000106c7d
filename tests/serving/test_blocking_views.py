"""A view that blocks, or computes, does not stop the others."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.serving.worker_server import THREADS, Server, answer


@pytest.fixture
def asked(server: Server) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(server.connect()) for _ in range(THREADS)]


@pytest.mark.parametrize(("path", "end"), [("block", b"blocked"), ("compute", b"computed")])
def test_one_view_does_not_stop_others(server: Server, asked: list[socket.socket], path: str, end: bytes) -> None:
    asked[0].sendall(f"GET /{path}/5 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    begun = time.monotonic()
    for _ in range(5):
        assert server.get() == "0"
    assert time.monotonic() - begun < 4.5, "the view takes five seconds"
    answer(asked[0], end)


def test_threads_that_block_at_once(server: Server, asked: list[socket.socket]) -> None:
    for sock in asked[1:]:
        sock.sendall(b"GET /block/5 HTTP/1.1\r\nHost: x\r\n\r\n")
    begun = time.monotonic()
    assert server.get() == "0"  # the last thread serves
    assert time.monotonic() - begun < 4.5
    for sock in asked[1:]:
        answer(sock, b"blocked")


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
