"""The bound on what has come of requests that nobody serves yet."""

from __future__ import annotations

import contextlib
import select
import socket
import time
from pathlib import Path

import pytest

from tests.serving.worker_server import APP, Server
from xmpp_rest.serving.request import BadRequest
from xmpp_rest.serving.unserved import MOST, Unserved

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
FIELDS = b"".join(b"X-%d: %s\r\n" % (n, b"a" * 8000) for n in range(20))
BEGUN = {
    "head": HEAD + FIELDS,
    "body": HEAD + b"Content-Length: 60000\r\n\r\n" + b"x" * 59000,
    "chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\nffff\r\n" + b"x" * 59000,
    "trailers": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n" + FIELDS,
}
WITH_ALL = """
from xmpp_rest.serving import unserved
unserved.MOST = 300_000
connection.HEAD_SECONDS = connection.BODY_SECONDS = 30.0
"""


@pytest.mark.parametrize("begun", BEGUN.values(), ids=BEGUN)
def test_what_all_clients_have_begun_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: bytes) -> None:
    monkeypatch.setattr("tests.serving.worker_server.APP", APP + WITH_ALL)
    server = Server(tmp_path)
    crowd = [server.connect() for _ in range(12)]
    try:
        for sock in crowd:
            with contextlib.suppress(OSError):  # it was refused before all of it was sent
                sock.sendall(begun)
        answered, _, _ = select.select(crowd, [], [], 20)
        assert answered[0].recv(12) == b"HTTP/1.1 503"
        assert server.get() == "0"  # a small one is served
        for sock in crowd:
            sock.close()
        until = time.monotonic() + 30
        while not _taken(server, begun) and time.monotonic() < until:
            time.sleep(0.05)
        assert _taken(server, begun)
    finally:
        for sock in crowd:
            sock.close()
        server.stop()
        server.log.close()


def _taken(server: Server, begun: bytes) -> bool:
    """Whether one is waited for."""
    with server.connect() as sock:
        sock.sendall(begun)
        sock.settimeout(0.3)
        try:
            return not sock.recv(1)
        except TimeoutError:
            return True


def test_what_is_served_counts_no_more() -> None:
    unserved, one, other = Unserved(), object(), object()
    unserved.note(one, MOST // 2)
    unserved.note(one, MOST)
    with pytest.raises(BadRequest) as refused:
        unserved.note(other, 20_000)
    assert refused.value.status == 503
    unserved.note(one, MOST)  # the other one is forgotten
    unserved.forget(one)
    unserved.forget(one)
    unserved.note(other, MOST)


def test_a_body_that_stops_is_waited_for_as_long_as_at_its_beginning(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 30) as sock:
        sock.sendall(HEAD + b"Content-Length: 60000\r\n\r\n" + b"x" * 50000)
        begun = time.monotonic()
        assert sock.recv(1) in (b"", b"H")
        assert time.monotonic() - begun < 20  # BODY_SECONDS is 1 here; 50 more were given for what had come
