"""The wire between the processes of one machine: messages in JSON, each after its length, on a Unix socket."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from xmpp_rest.processes.group import Message
from xmpp_rest.threads.sockets import SocketLoop
from xmpp_rest.threads.tasks import OrderLock

log = logging.getLogger("xmpp_rest.server")

SOCKET = "hub.sock"  # in the data folder; named so since the first version
_LENGTH = struct.Struct(">I")
MAX_MESSAGE = 64 << 20  # bytes; the largest body of a request is smaller
MAX_PATH = 100  # bytes of a Unix socket's address, less a little (sun_path is 108 on Linux)
READ = 64 << 10  # bytes that are asked for at once
AT_ONCE = 32 << 10  # bytes that the kernel takes as a whole or not at all


class Channel:
    """One connection. `send` may be called by any thread, `receive` and `each` by one."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = OrderLock()  # where the other end reads nothing, one thread waits for it, and tasks park
        self._has_sent_all = False
        self._received = bytearray()
        self._came: deque[Message] = deque()  # read by a loop, and not taken yet
        self._is_taking = False  # whether a task takes them
        self._has_ended = False  # nothing more comes
        self._reading = threading.Lock()  # guards these
        self._is_attached = False  # to a loop: its descriptor must not become another one's
        self._is_free = threading.Event()  # no loop reads, or will read

    @property
    def trunk(self) -> Channel:
        return self

    def send(self, message: Message, *, last: bool = False) -> None:
        """Send it; nothing can be sent after the `last` one. Raises OSError."""
        data = _packed(message)
        with self._lock:
            if self._has_sent_all:
                raise BrokenPipeError(errno.EPIPE, "this process has said that it sends no more")
            self._has_sent_all = last
            self._sock.sendall(data)

    def send_now(self, message: Message) -> bool:
        """As `send` if that can be done without waiting; False: nothing was sent. Raises OSError."""
        data = _packed(message)
        if len(data) > AT_ONCE or not self._lock.acquire(blocking=False):
            return False
        try:
            sent = self._sock.send(data, socket.MSG_DONTWAIT)
            if sent < len(data):
                self._sock.sendall(data[sent:])
        except BlockingIOError:
            return False
        finally:
            self._lock.release()
        return True

    def each(self, take: Callable[[Message], None], loop: SocketLoop | None) -> None:
        """Have `take` called with every message, in order, until the end of the connection. It must raise nothing.

        With a loop, a task of the loop calls it: what comes then shares a round, and its commits, with the requests of this process, and no
        thread is woken for it. The calling thread waits meanwhile, and reads by itself once the loop has stopped.
        """
        if loop is not None:
            self._is_attached = True
            loop.attach(self._sock, partial(self._read_for, take, loop), self._is_free.set)
            self._is_free.wait()
            self._is_attached = False
        while (message := self.receive()) is not None:
            take(message)

    def _read_for(self, take: Callable[[Message], None], loop: SocketLoop) -> None:
        """Read what has come; called by the loop."""
        with self._reading:
            goes_on = self._read_all()
            self._has_ended = not (self._parse_all() and goes_on)
            begins = bool(self._came) and not self._is_taking
            self._is_taking = self._is_taking or begins
            is_free = self._has_ended and not self._is_taking
        if begins:
            loop.begin(partial(self._take_all, take))
        if self._has_ended:
            loop.detach(self._sock)
        if is_free:
            self._is_free.set()

    def _read_all(self) -> bool:
        """Add what has come to the buffer; False at the end of the connection."""
        try:
            while data := self._sock.recv(READ, socket.MSG_DONTWAIT):
                self._received += data
        except BlockingIOError:
            return True
        except OSError as e:
            log.debug("a process has gone: %s", e)
        return False

    def _parse_all(self) -> bool:
        """Parse what is complete; False: the other side is not one of our processes."""
        try:
            while (message := self._parse_next()) is not None:
                self._came.append(message)
        except (ValueError, RecursionError):
            return False
        return True

    def _take_all(self, take: Callable[[Message], None]) -> None:
        while True:
            with self._reading:
                message = self._came.popleft() if self._came else None
                self._is_taking = message is not None
            if message is None:
                break
            take(message)
        if self._has_ended:
            self._is_free.set()

    def receive(self) -> Message | None:
        """The next message; None at the end of the connection, which is closed then."""
        with contextlib.suppress(OSError, ValueError, RecursionError):  # closed by another thread; or the sender is none of our processes
            while True:
                with self._reading:
                    message = self._came.popleft() if self._came else self._parse_next()
                if message is not None:
                    return message
                if self._has_ended or not (data := self._sock.recv(READ)):
                    break
                self._received += data
        self.close()
        return None

    def _parse_next(self) -> Message | None:
        """The next message in the buffer, if all of it is there. Raises ValueError, RecursionError."""
        if len(self._received) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._received)
        if length > MAX_MESSAGE:
            raise ValueError("a message is too long")
        end = _LENGTH.size + length
        if len(self._received) < end:
            return None
        text = self._received[_LENGTH.size : end].decode()
        del self._received[:end]
        message: Message = json.loads(text)
        return message

    def close(self) -> None:
        """End the connection; a thread in `receive` gets None, and one in `each` returns."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        if not self._is_attached:
            self._sock.close()


def _packed(message: Message) -> bytes:
    data = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
    return _LENGTH.pack(len(data)) + data


@contextlib.contextmanager
def _socket(path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A socket, and what it is to bind or connect to: a long path is reached through its folder (Linux). Closed if that fails."""
    folder, address = None, str(path)
    if len(os.fsencode(path)) > MAX_PATH:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        address = f"/proc/self/fd/{folder}/{path.name}"
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        yield sock, address
    except OSError:
        sock.close()
        raise
    finally:
        if folder is not None:
            os.close(folder)


def listen(path: Path) -> socket.socket:
    """A listening socket that only this user may reach; one that is left over is replaced. Raises OSError."""
    path.unlink(missing_ok=True)
    with _socket(path) as (sock, address):
        sock.bind(address)
        path.chmod(0o600)
        sock.listen(64)
    return sock


def connect(path: Path) -> Channel:
    """A channel to who listens at `path`. Raises OSError."""
    with _socket(path) as (sock, address):
        sock.connect(address)
    return Channel(sock)
