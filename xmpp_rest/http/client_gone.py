"""The connection of a request: tells whether the client has closed it, and bounds writes to it.

It needs the server's own connection (`serving.exchange.CLIENT`), or the socket under the WSGI request, which some servers pass on.
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Mapping
from typing import Any

_OURS = "xmpp_rest.client"
_SOCKETS = ("gunicorn.socket", "werkzeug.socket")
_LEFT = getattr(select, "POLLRDHUP", 0) | getattr(select, "POLLHUP", 0) | getattr(select, "POLLERR", 0)


class ClientConnection:
    """The connection of one request. Without a socket to look at, the client is never known to be gone."""

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._ours = environ.get(_OURS)  # it bounds writes by itself
        found = (environ.get(name) for name in _SOCKETS if self._ours is None)
        self._socket: socket.socket | None = next((s for s in found if hasattr(s, "fileno")), None)
        port = str(environ.get("REMOTE_PORT", ""))
        self.peer = str(environ.get("REMOTE_ADDR", "")), int(port) if port.isascii() and port.isdigit() else 0
        """Address and port of the client; "" and 0 where the server does not tell."""

    def gone(self) -> bool:
        """Whether the client has closed the connection. What it says on an open one is not read."""
        if self._ours is not None:
            return bool(self._ours.left)
        if self._socket is None or not hasattr(select, "poll"):
            return False
        descriptor = self._socket.fileno()
        if descriptor < 0:
            return True
        poll = select.poll()
        poll.register(descriptor, getattr(select, "POLLRDHUP", 0))
        return any(event & _LEFT for _, event in poll.poll(0))

    def bound_writes(self, seconds: float) -> None:
        """Let a write fail that the client takes nothing of for so long; else it would hold its thread forever."""
        if self._socket is None:
            return
        if self._socket.gettimeout() is not None:
            self._socket.settimeout(seconds)
        elif hasattr(socket, "SO_SNDTIMEO"):  # reading stays as it is: without an end
            timeout = struct.pack("ll", int(seconds), int(seconds % 1 * 1_000_000))
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)
