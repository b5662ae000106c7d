"""The wire between the processes of one machine: messages in JSON, each after its length, on a Unix socket."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from xmpp_rest.processes.group import Message
from xmpp_rest.threads.tasks import OrderLock

SOCKET = "hub.sock"  # in the data folder; named so since the first version
_LENGTH = struct.Struct(">I")
MAX_MESSAGE = 64 << 20  # bytes; the largest body of a request is smaller
MAX_PATH = 100  # bytes of a Unix socket's address, less a little (sun_path is 108 on Linux)
AT_ONCE = 32 << 10  # bytes that the kernel takes as a whole or not at all


class Channel:
    """One connection. `send` may be called by any thread, `receive` by one."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = OrderLock()  # where the other end reads nothing, one thread waits for it, and tasks park
        self._file = sock.makefile("rb", 65536)

    def send(self, message: Message) -> None:
        """Raises OSError."""
        data = _packed(message)
        with self._lock:
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

    def receive(self) -> Message | None:
        """The next message; None at the end of the connection, which is closed then."""
        data = self._read()
        if data is not None:
            with contextlib.suppress(ValueError, RecursionError):  # else: the sender is not one of our processes
                message: Message = json.loads(data)
                return message
        self.close()
        self._file.close()
        return None

    def _read(self) -> bytes | None:
        try:
            head = self._file.read(_LENGTH.size)
            if len(head) < _LENGTH.size:
                return None
            (length,) = _LENGTH.unpack(head)
            data = self._file.read(length) if length <= MAX_MESSAGE else b""
        except (OSError, ValueError):  # closed by another thread
            return None
        return data if len(data) == length else None

    def close(self) -> None:
        """End the connection; a thread in `receive` gets None."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
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
