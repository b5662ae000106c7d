"""An answer that comes before the body has been read: the client sees it, though it sends on."""

from __future__ import annotations

import time

from tests.serving.worker_server import Server, answer


def test_who_sends_on_for_longer_than_the_server_lingers_sees_the_answer(server: Server) -> None:
    """The server takes 16 MiB, and then lingers 2 s, for as long as something comes."""
    size, piece = 40 << 20, b"x" * (1 << 20)
    with server.connect() as sock:
        sock.settimeout(60)
        sock.sendall(b"POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size)
        begun = time.monotonic()
        for _ in range(20):
            sock.sendall(piece)
        while time.monotonic() < begun + 3.5:  # longer than the server lingers without a word
            sock.sendall(piece[:1000])
            time.sleep(0.1)
        assert answer(sock, b"no").count(b"HTTP/1.1 ") == 1



def test_a_refusal_in_place_of_100_ends_the_connection(server: Server) -> None:
    """Its client may send the body, or another request: the server cannot tell (RFC 9110 §10.1.1)."""
    with server.connect() as sock:
        sock.sendall(b"POST /refuse HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5000000\r\n\r\n")
        assert b"Connection: close\r\n" in answer(sock, b"no")
    with server.connect() as sock:
        for _ in range(2):
            sock.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
            sock.sendall(b"abc")
            assert b"Connection: keep-alive\r\n" in answer(sock, b"\r\n\r\n3")
