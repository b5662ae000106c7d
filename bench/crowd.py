"""Crowds of clients that ask for nothing: silent ones, heads and bodies of which a byte comes each second."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from types import TracebackType

SIZE = 500
SECONDS = 1.0  # between two bytes of one client
KINDS = {
    "silent connections": b"",
    "slow heads": b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
    "dripping bodies": b"POST /rest HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{",
}
"""Name → what each of them has sent; a client that has sent nothing sends nothing."""


class Crowd:
    """SIZE clients of one kind, which come back when the server closes their connection. A context."""

    def __init__(self, port: int, kind: str) -> None:
        self._port, self._sent = port, KINDS[kind]
        self._selector = selectors.DefaultSelector()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._drip, daemon=True)

    def __enter__(self) -> Crowd:
        for _ in range(SIZE):
            self._join()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            _socket_of(key).close()
        self._selector.close()

    def _join(self) -> None:
        client = socket.create_connection(("127.0.0.1", self._port), 10)
        client.sendall(self._sent)
        client.setblocking(False)
        self._selector.register(client, selectors.EVENT_READ)

    def _drip(self) -> None:
        due = time.monotonic() + SECONDS
        while not self._ended.is_set():
            for key, _ in self._selector.select(max(0.0, due - time.monotonic())):
                self._read(_socket_of(key))
            if time.monotonic() >= due:
                due += SECONDS
                self._send()

    def _read(self, client: socket.socket) -> None:
        """What the server has said is thrown away; one that it has closed the connection to comes back."""
        with contextlib.suppress(OSError):
            if client.recv(4096):
                return
        self._selector.unregister(client)
        client.close()
        with contextlib.suppress(OSError):
            self._join()

    def _send(self) -> None:
        for key in list(self._selector.get_map().values()) if self._sent else ():
            with contextlib.suppress(OSError):  # it is seen as closed when it is read
                _socket_of(key).send(b"x")


def _socket_of(key: selectors.SelectorKey) -> socket.socket:
    assert isinstance(key.fileobj, socket.socket)
    return key.fileobj
