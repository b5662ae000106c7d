"""An answer whose making fails in the middle does not look complete."""

from __future__ import annotations

from pathlib import Path

from tests.serving.worker_server import Server


def test_it_ends_without_the_last_chunk(tmp_path: Path) -> None:
    server = Server(tmp_path)
    try:
        with server.connect() as sock:
            sock.settimeout(30)
            sock.sendall(b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")
            got = b""
            while part := sock.recv(4096):  # until it is closed, without having been asked to
                got += part
        assert b"Transfer-Encoding: chunked" in got
        assert got.endswith(b"2\r\n[1\r\n2\r\n,2\r\n"), got
        assert "RuntimeError: the storage is gone" in server.output()
    finally:
        server.stop()
        server.log.close()
