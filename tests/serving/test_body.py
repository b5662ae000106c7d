"""The next request on a connection is found after every body, read or not; a slow body has time."""

from __future__ import annotations

import itertools
import socket
import time

import pytest

from tests.serving.worker_server import Server, answer

TEXT = b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n"  # a parser that loses its place takes it for a request
TEXTS = {"none": b"", "large": TEXT * 3000}
BODIES = {
    "large": b"Content-Length: %d\r\n\r\n%s" % (len(TEXTS["large"]), TEXTS["large"]),
    "length": b"Content-Length: %d\r\n\r\n%s" % (len(TEXT), TEXT),
    "chunks": b"Transfer-Encoding: chunked\r\n\r\n4\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (TEXT[:4], len(TEXT) - 4, TEXT[4:]),
    "trailer": b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\nX-Sum: 1\r\n\r\n" % (len(TEXT), TEXT),
    "none": b"Content-Length: 0\r\n\r\n",
}
READERS = {
    "all": ("/", lambda text: b"%d" % len(text)),
    "nothing": ("/refuse", lambda text: b"no"),
    "a part": ("/part/2", lambda text: text[:2]),
    "more than comes with the head": ("/part/10000", lambda text: text[:10000]),
    "lines": ("/lines", lambda text: b"|".join(line.strip() for line in text.splitlines())),
}
CASES = list(itertools.product(BODIES, READERS))
IDS = [f"{body}, read: {reader}" for body, reader in CASES]


def request(body: str, reader: str) -> tuple[bytes, bytes]:
    """The request, and how its answer ends."""
    path, answered = READERS[reader]
    return b"POST %s HTTP/1.1\r\nHost: x\r\n%s" % (path.encode(), BODIES[body]), b"\r\n\r\n" + answered(TEXTS.get(body, TEXT))


def rest(sock: socket.socket) -> bytes:
    """What comes until the server closes."""
    data = b""
    while more := sock.recv(65536):
        data += more
    return data


@pytest.mark.parametrize(("body", "reader"), CASES, ids=IDS)
def test_request_body_with_the_head(server: Server, body: str, reader: str) -> None:
    sent, end = request(body, reader)
    with server.connect() as sock:
        for _ in range(3):
            sock.sendall(sent)
            assert answer(sock, end).count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize(("body", "reader"), CASES, ids=IDS)
def test_request_body_in_pieces(server: Server, body: str, reader: str) -> None:
    sent, end = request(body, reader)
    with server.connect() as sock:
        for cut in (sent.index(b"\r\n\r\n") + 4, len(sent) - 9, len(sent) - 1):
            sock.sendall(sent[:cut])
            time.sleep(0.05)
            sock.sendall(sent[cut:])
            assert answer(sock, end).count(b"HTTP/1.1 ") == 1


def test_pipelined_request_bodies(server: Server) -> None:
    requests = [request(*case) for case in CASES]
    with server.connect() as sock:
        sock.sendall(b"".join(sent for sent, _ in requests) + b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answers = rest(sock)
    assert answers.count(b"HTTP/1.1 ") == len(requests) + 1
    for _, end in requests:
        before, found, answers = answers.partition(end)
        assert found
        assert before.count(b"HTTP/1.1 ") == 1


def test_many_pipelined_requests(server: Server) -> None:
    with server.connect() as sock:
        sock.settimeout(30)
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 200 + b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert rest(sock).count(b"HTTP/1.1 200 ") == 201


def test_unread_request_body_does_not_limit_the_application(server: Server) -> None:
    with server.connect() as sock:
        for _ in range(2):
            sock.sendall(b"POST /slow HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
            answer(sock, b"\r\n\r\ndone")


@pytest.mark.parametrize("head", [b"Content-Length: 400000", b"Transfer-Encoding: chunked\r\n\r\n61a80"], ids=["length", "chunk"])
def test_request_body_deadline_moves_with_the_bytes(server: Server, head: bytes) -> None:
    with server.connect() as sock:
        started = time.monotonic()
        sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + head + (b"\r\n" if b"chunked" in head else b"\r\n\r\n"))
        for _ in range(8):
            sock.sendall(b"x" * 50_000)
            time.sleep(0.25)
        if b"chunked" in head:
            sock.sendall(b"\r\n0\r\n\r\n")
        answer(sock, b"\r\n\r\n400000")
        assert time.monotonic() - started > 1.5  # BODY_SECONDS is 1 here


def test_an_application_may_take_its_time_between_pieces_of_a_large_body(server: Server) -> None:
    """Batches wait for other servers as they are read; what the client has sent all the time waits in the kernel."""
    with server.connect() as sock:
        started = time.monotonic()
        sock.sendall(b"POST /pieces HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 700000\r\n\r\n" + b"x" * 700_000)
        assert rest(sock).rpartition(b"\r\n\r\n")[2] == b"700000"
        assert time.monotonic() - started > 2.5  # BODY_SECONDS is 1 here


@pytest.mark.parametrize("more", [b"Content-Length: 9\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n9\r\nhalf"])
def test_broken_request_body_ends_the_connection(server: Server, more: bytes) -> None:
    with server.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + more)
        time.sleep(0.1)
        sock.shutdown(socket.SHUT_WR)
        answers = rest(sock)
        assert answers.count(b"HTTP/1.1 ") == answers.count(b"Connection: close") == 1


@pytest.mark.parametrize("reader", READERS)
def test_invalid_chunk_ends_the_connection(server: Server, reader: str) -> None:
    path = READERS[reader][0].encode()
    with server.connect() as sock:
        sock.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" % path + TEXT)
        answers = rest(sock)
        assert answers.count(b"HTTP/1.1 ") == answers.count(b"Connection: close") == 1
        assert b"\r\n\r\nno" in answers or b"HTTP/1.1 400" in answers
