"""The socket of a client connection with few system calls, as each releases the interpreter lock, and re-acquires it late.

A socket with a timeout of Python's asks `poll` before each call. This one lets the kernel do the waiting, and sends the head of an answer
together with the first of its body, as PEP 3333 wants it (§ The start_response() Callable).
"""

from __future__ import annotations

import errno
import select
import socket
import struct
from typing import Any, NoReturn


def _timeval(seconds: float) -> bytes:
    return struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))


class ClientSocket(socket.socket):
    """The socket of an accepted connection, which this takes over. A client that takes too long looks like one that is gone.

    `patience`: seconds that `next_request` waits; `write`: seconds for one write to get anywhere. Reading has no end of its own: the
    reader sets a deadline, and shuts the socket down when it has passed.
    """

    def __init__(self, accepted: socket.socket, *, patience: float, write: float) -> None:
        super().__init__(fileno=accepted.detach())
        self.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(patience))
        self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(write))
        self._head: bytes | None = None  # what is held back; None: nothing is to be

    def settimeout(self, value: float | None) -> None:
        if value != self.gettimeout():
            super().settimeout(value)

    def setblocking(self, flag: bool) -> None:
        self.settimeout(None if flag else 0.0)

    def next_request(self, size: int) -> bytes | None:
        """The first bytes of the next request, b"" where the client has closed; None if there are none for now."""
        try:
            return super().recv(size)
        except BlockingIOError:
            return None

    def recv(self, size: int, flags: int = 0) -> bytes:
        while True:
            try:
                return super().recv(size, flags)
            except BlockingIOError:
                if self.gettimeout() is not None:
                    raise
                poll = select.poll()
                poll.register(self, select.POLLIN)
                poll.poll()
            except TimeoutError:
                _gone("the client took too long to send")

    def hold(self) -> None:
        """What is sent next is the head of an answer: it waits for what follows, or for `flush`."""
        self._head = b""

    def flush(self) -> None:
        """Send what is held back; nothing is from now on."""
        head, self._head = self._head, None
        if head:
            self.sendall(head)

    def sendall(self, data: Any, flags: int = 0) -> None:
        if self._head is not None:
            if not self._head:
                self._head = bytes(data)
                return
            data, self._head = self._head + data, None
        try:
            super().sendall(data, flags)
        except (BlockingIOError, TimeoutError):
            if self.gettimeout() == 0.0:
                raise
            _gone("the client took too long to read")

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        self.flush()
        return super().sendfile(file, offset, count)


def _gone(why: str) -> NoReturn:
    raise ConnectionResetError(errno.ECONNRESET, why) from None
