"""TLS of a client on a socket that does not block, of which each call takes a bounded time, whatever its peer sends.

OpenSSL, given the socket itself, goes on reading as long as there are messages of TLS alone: a server that sends nothing but changes of
keys (RFC 8446 §4.6.3) held the thread of all sessions, or that of a login, forever. So it gets what was read here, a little at a time.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import ssl

PIECE = 16384  # bytes that are encrypted at once: a record
CHUNK = 4096  # bytes that are read at once: the buffers of OpenSSL keep the size that they once had
CHUNKS = 6  # in one call: more than a record
MOST_OF_TLS = 64 << 10  # bytes without any for the stream, after which there is no use in going on
AT_MOST_FOR_ONE = 64  # bytes that come for one of the stream
MOST_UNREAD = 64 << 10  # bytes of answers of TLS to a peer that reads none


class TlsSocket:
    """As ssl.SSLSocket that does not block: `recv`, `send` and `do_handshake` raise SSLWantReadError and SSLWantWriteError."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, name: str) -> None:
        """`sock` is this one's from now on. `name`: whose certificate is demanded. Raises ValueError: nobody can have that name."""
        self._sock = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._made: ssl.SSLObject | None = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._rest = b""  # encrypted, and not taken by the system yet
        self._data = b""  # what is to be sent
        self._encrypted = 0  # bytes of it
        self._of_tls = 0  # bytes that came since there was anything for the stream

    @property
    def _tls(self) -> ssl.SSLObject:
        if self._made is None:
            raise OSError(errno.EBADF, "it is closed")
        return self._made

    def fileno(self) -> int:
        return self._sock.fileno()

    def setblocking(self, blocks: bool) -> None:
        self._sock.setblocking(blocks)

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self._sock.setsockopt(level, option, value)

    def version(self) -> str | None:
        return self._tls.version()

    def pending(self) -> int:
        """Bytes that are decrypted."""
        return self._tls.pending()

    def do_handshake(self) -> None:
        """Go on with the handshake; returns once it is done and written. Raises SSLWantReadError, SSLWantWriteError, OSError."""
        for n in range(CHUNKS):
            if n:
                self._fill()
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._drain()
            except ssl.SSLError:
                with contextlib.suppress(OSError):
                    self._drain()  # what is wrong
                raise
            else:
                self._drain()
                return
        raise ssl.SSLWantReadError

    def recv(self, size: int) -> bytes:
        """What has come; b"" at the end. Raises SSLWantReadError where there is nothing, or nothing for the stream so far; and OSError."""
        for _ in range(CHUNKS):
            if not (self._incoming.pending or self._tls.pending()):
                self._fill()
            try:
                data = self._tls.read(size)
            except ssl.SSLWantReadError:
                self._answer()
                continue
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return b""
            self._of_tls = max(0, self._of_tls - AT_MOST_FOR_ONE * len(data))
            self._answer()
            return data
        raise ssl.SSLWantReadError

    def send(self, data: bytes) -> int:
        """Encrypt all of it; returns once the system has taken that. Raises SSLWantWriteError, after which it is to be called with the
        same again, and OSError.
        """
        if data is not self._data:
            self._data, self._encrypted = data, 0
        while True:
            self._drain()
            if self._encrypted == len(data):
                self._data, self._encrypted = b"", 0
                return len(data)
            self._encrypted += self._tls.write(memoryview(data)[self._encrypted : self._encrypted + PIECE])

    def unwrap(self) -> None:
        """Say that nothing more is sent; does not wait for the answer of the peer. Raises OSError."""
        try:
            self._tls.unwrap()
        finally:
            self._drain()

    def close(self) -> None:
        """Close the socket, and give back the memory of TLS, which is most of what a session takes."""
        self._sock.close()
        self._made, self._rest, self._data = None, b"", b""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()

    def _fill(self) -> None:
        """Read a little."""
        try:
            data = self._sock.recv(CHUNK)
        except BlockingIOError:
            raise ssl.SSLWantReadError from None
        if not data:
            self._incoming.write_eof()
            return
        self._incoming.write(data)
        self._of_tls += len(data)
        if self._of_tls > MOST_OF_TLS:
            raise OSError(errno.EPROTO, "TLS that carries nothing")

    def _answer(self) -> None:
        """Write what TLS itself has to say, as far as the system takes it."""
        with contextlib.suppress(ssl.SSLWantWriteError):
            self._drain()
        if self._outgoing.pending > MOST_UNREAD:
            raise OSError(errno.EPROTO, "answers of TLS that are not read")

    def _drain(self) -> None:
        while self._rest or self._outgoing.pending:
            self._rest = self._rest or self._outgoing.read()
            try:
                sent = self._sock.send(self._rest)
            except BlockingIOError:
                raise ssl.SSLWantWriteError from None
            self._rest = self._rest[sent:]
