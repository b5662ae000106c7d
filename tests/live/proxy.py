"""A TCP relay that counts connections and can be cut, for tests of network failures."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from pathlib import Path

from .child import LOOPBACK, free_port


class Proxy:
    """Relays a free loopback port to `target`, a port or the path of a Unix socket. Owner: the test that made it.

    `up = False` refuses new connections by closing them at once (they are counted); `cut()` breaks the open ones. While `swallow` is set,
    what either side sends is accepted and lost, as in a network that fails without a word. `hold()` keeps it, and new connections as well,
    until `release()`, as when a cable is out for a while.
    """

    def __init__(self, target: int | Path) -> None:
        self.target = target
        self.port = free_port()
        self.up = True
        self.swallow = False
        self.attempts: list[float] = []
        """When (monotonic clock, seconds) each connection came in."""
        self._passing = threading.Event()
        self._passing.set()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server((LOOPBACK, self.port))
        self._thread = threading.Thread(target=self._accept, name="proxy", daemon=True)

    def start(self) -> None:
        """Start to relay."""
        self._thread.start()

    def stop(self) -> None:
        """Close everything."""
        self.up = False
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self.release()
        self._thread.join(30)

    @property
    def held(self) -> bool:
        """Whether nothing passes."""
        return not self._passing.is_set()

    def hold(self) -> None:
        """Let nothing pass from now on, in either direction."""
        self._passing.clear()

    def release(self) -> None:
        """Let pass what was held, and all that follows."""
        self._passing.set()

    def cut(self) -> None:
        """Break every open connection."""
        with self._lock:
            connections = list(self._open)
        for s in connections:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.attempts.append(time.monotonic())
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        with client:
            if not self.up:
                return
            self._passing.wait()
            try:
                server = self._connected()
            except OSError:
                return
            with server:
                server.settimeout(None)
                with self._lock:
                    self._open |= {client, server}
                back = threading.Thread(target=self._copy, args=(server, client), daemon=True)
                back.start()
                self._copy(client, server)
                back.join()
                with self._lock:
                    self._open -= {client, server}

    def _connected(self) -> socket.socket:
        if isinstance(self.target, int):
            return socket.create_connection((LOOPBACK, self.target), 30)
        server = socket.socket(socket.AF_UNIX)
        try:
            server.settimeout(30)
            server.connect(str(self.target))
        except OSError:
            server.close()
            raise
        return server

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        """Relay one direction until either side ends, then end both."""
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._passing.wait()
                if not self.swallow:
                    sink.sendall(data)
        for s in source, sink:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
