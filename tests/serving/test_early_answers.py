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

