"""Sockets of clients, without waiting: plain ones, and ones under TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable

CHUNK = 65536  # bytes that are read at once


class ClientSocket:
    """A connection that is never waited for. Reading is for one thread at a time, as is writing."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.crossed = False
        """Whether reading waits until something can be sent, or sending until something comes, as TLS may."""

    def receive(self) -> bytes | None:
        """What has come, b"" at the end; None: nothing for now. Raises OSError."""
        try:
            return self.sock.recv(CHUNK)
        except BlockingIOError:
            return None

    def send(self, data: bytes | memoryview) -> int:
        """How many bytes of it the kernel has taken; 0: none for now. Raises OSError."""
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0

    def drained(self, data: bytes) -> bool:
        """Whether nothing is left to be received for now, after `data` was."""
        return len(data) < CHUNK

    def finish(self) -> None:
        """Tell the client that nothing more is sent. Raises OSError."""
        self.sock.shutdown(socket.SHUT_WR)

    def farewell(self) -> None:
        """Say what is to be said before the socket is closed."""


class TLSSocket(ClientSocket):
    """The same under TLS. OpenSSL reads and writes the same state: one of both at a time."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, refusal: Callable[[], bytes]) -> None:
        """`refusal`: the answer to a client that speaks plain HTTP."""
        self._refusal = refusal
        self._lock = threading.Lock()
        sock.setblocking(False)
        self._tls = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True)
        super().__init__(self._tls)

    def receive(self) -> bytes | None:
        """As above. The handshake happens with the first calls. Raises OSError, ssl.SSLError among them."""
        with self._lock:
            try:
                return self._tls.recv(CHUNK)
            except ssl.SSLWantWriteError:
                self.crossed = True
                return None
            except (ssl.SSLWantReadError, BlockingIOError):  # the latter after `finish`
                return None
            except ssl.SSLEOFError:
                return b""
            except ssl.SSLError as e:
                if e.reason == "HTTP_REQUEST":
                    self._refuse_plain_http()
                raise

    def send(self, data: bytes | memoryview) -> int:
        with self._lock:
            try:
                return self._tls.send(data)
            except ssl.SSLWantReadError:
                self.crossed = True
                return 0
            except ssl.SSLWantWriteError:
                return 0

    def _refuse_plain_http(self) -> None:
        """Tell a client that speaks no TLS. What it has sent is read first, or the kernel would cut the answer off with a reset."""
        with contextlib.suppress(OSError):
            socket.socket.recv(self._tls, CHUNK)
            socket.socket.send(self._tls, self._refusal())

    def drained(self, data: bytes) -> bool:
        return False  # OpenSSL gives at most one record at a time

    def finish(self) -> None:
        """Tell the client that nothing more is sent, without waiting for its own farewell. What comes after that is not decrypted."""
        self.farewell()
        with self._lock:
            self._tls.shutdown(socket.SHUT_WR)

    def farewell(self) -> None:
        """Send close_notify, by which a client knows that nothing was cut off (RFC 8446 §6.1)."""
        with self._lock, contextlib.suppress(OSError, ValueError):  # there is no session, or the client's farewell has not come
            self._tls.unwrap()
