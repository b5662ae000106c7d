"""The requests of files: whatever comes, the answer is closed with its connection, and a failure says so (files §5, §7)."""

from __future__ import annotations

import gc
import http.client
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from xmpp_rest.service.callbacks.deadline_connections import Endpoint
from xmpp_rest.service.callbacks.http_client import target_of
from xmpp_rest.service.files.http_exchange import HttpExchange, HttpFailed

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"


@pytest.fixture
def unclosed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[http.client.HTTPResponse]]:
    """Answers that were made; each must be closed at the end, and none may complain as it is collected."""
    made: list[http.client.HTTPResponse] = []
    complaints: list[object] = []
    init = http.client.HTTPResponse.__init__

    def noted(self: http.client.HTTPResponse, *given: object, **named: object) -> None:
        init(self, *given, **named)  # type: ignore[arg-type]  # as they came
        made.append(self)

    gc.collect()  # what earlier tests have left is not of this one
    monkeypatch.setattr(http.client.HTTPResponse, "__init__", noted)
    monkeypatch.setattr(sys, "unraisablehook", lambda said: complaints.append(said.exc_value))
    yield made
    assert [answer.closed for answer in made] == [True] * len(made)
    made.clear()
    gc.collect()
    assert complaints == []


@contextmanager
def answering(said: bytes, *, stays: bool = False) -> Iterator[Endpoint]:
    """A server that says this to one request; `stays`: and then nothing, with the connection open."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            taken, _ = listening.accept()
            with taken:
                taken.recv(65536)
                taken.sendall(said)
                if stays:
                    over.wait(30)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield target_of(f"http://127.0.0.1:{listening.getsockname()[1]}/x")
        finally:
            over.set()
            thread.join(30)


def read_all(begun: HttpExchange) -> bytes:
    begun.answer("GET")
    return b"".join(iter(lambda: begun.read(10), b""))


@contextmanager
def exchange(target: Endpoint, seconds: float = 30.0) -> Iterator[HttpExchange]:
    addresses = socket.getaddrinfo(target.host, target.port, 0, socket.SOCK_STREAM)
    with HttpExchange(target, addresses, seconds) as begun:
        begun.send_head("GET", {})
        yield begun


@pytest.mark.parametrize(
    "said",
    [b"", b"HTT", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000, b"HTTP/1.1 2x OK\r\n\r\n", b"HTTP/2.0 200 OK\r\n\r\n"],
)
def test_a_head_that_is_broken(said: bytes, unclosed: list[http.client.HTTPResponse]) -> None:
    with answering(said) as target, exchange(target) as begun, pytest.raises(HttpFailed) as raised:
        begun.answer("GET")
    assert not raised.value.timed_out
    assert len(unclosed) == 1


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Le", OK, OK + b"ab"])
def test_an_answer_that_does_not_come(said: bytes, unclosed: list[http.client.HTTPResponse]) -> None:
    with answering(said, stays=True) as target, exchange(target, 0.5) as begun, pytest.raises(HttpFailed) as raised:
        read_all(begun)
    assert raised.value.timed_out
    assert len(unclosed) == 1


def test_a_whole_answer(unclosed: list[http.client.HTTPResponse]) -> None:
    with answering(OK + b"abcd") as target, exchange(target) as begun:
        assert read_all(begun) == b"abcd"
    assert len(unclosed) == 1


def test_a_body_that_breaks_off(unclosed: list[http.client.HTTPResponse]) -> None:
    with answering(OK + b"ab") as target, exchange(target) as begun:
        begun.answer("GET")
        assert begun.read(10) == b"ab"
        with pytest.raises(HttpFailed, match="broke off"):
            begun.read(10)
    assert len(unclosed) == 1


@pytest.mark.parametrize(
    "said", [OK + b"abcd", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n", b"HTTP/1.1 302 Moved\r\n\r\n"]
)
def test_a_body_that_nobody_reads(said: bytes, unclosed: list[http.client.HTTPResponse]) -> None:
    with answering(said) as target, exchange(target) as begun:
        assert begun.answer("GET").status in (200, 302)
    assert len(unclosed) == 1


def test_a_server_that_speaks_no_tls() -> None:
    with answering(b"HTTP/1.1 400 Bad Request\r\n\r\n") as target:
        secure = target_of(f"https://127.0.0.1:{target.port}/x")
        addresses = socket.getaddrinfo(target.host, target.port, 0, socket.SOCK_STREAM)
        with pytest.raises(HttpFailed, match="TLS"):
            HttpExchange(secure, addresses, 30.0)


def test_a_connection_that_nobody_takes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    target = target_of(f"http://127.0.0.1:{port}/x")
    with pytest.raises(HttpFailed, match="refused"):
        HttpExchange(target, socket.getaddrinfo(target.host, target.port, 0, socket.SOCK_STREAM), 30.0)
