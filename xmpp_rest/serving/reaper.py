"""The reaper: one thread that ends what has passed its deadline, and closes connections gently."""

from __future__ import annotations

import contextlib
import socket
import time

from xmpp_rest.threads.timers import Timers

LINGER_SECONDS = 2.0  # for a client to take the end of an answer (RFC 9112 §9.6)
STEP = 0.05  # seconds between two reads of a lingering connection


class Reaper(Timers):
    """Timers of connections, which may go away by themselves before. Owned by the worker."""

    def __init__(self) -> None:
        super().__init__("reaper")

    def close(self, sock: socket.socket) -> None:
        """Close a connection once its client has taken the end of the answer, or after LINGER_SECONDS."""
        with contextlib.suppress(OSError):
            sock.setblocking(False)
            sock.shutdown(socket.SHUT_WR)
        until = time.monotonic() + LINGER_SECONDS
        self.after(0, lambda: self._linger(sock, until))

    def _linger(self, sock: socket.socket, until: float) -> None:
        """Read what the client still sends, so that the kernel does not cut off the end of the answer with a reset."""
        try:
            while sock.recv(65536) and time.monotonic() < until:
                pass
        except BlockingIOError:
            if time.monotonic() < until:
                self.after(STEP, lambda: self._linger(sock, until))
                return
        except OSError:
            pass  # the client has gone
        sock.close()
