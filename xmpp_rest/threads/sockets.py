"""What a server's event loop does for sockets that are not its clients'."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Protocol

Call = Callable[[], None]


class SocketLoop(Protocol):
    """An event loop that others may have watch a socket."""

    @property
    def busy(self) -> int:
        """How many of its threads are at work."""

    def attach(self, sock: socket.socket, on_event: Call, on_stop: Call) -> None:
        """Have `on_event` called whenever something has come, or the other side has gone; by the loop, so it must not wait.

        `on_stop` is called once if that is not possible, or not any more: the caller reads by itself then. Called by any thread.
        """

    def detach(self, sock: socket.socket) -> None:
        """Watch it no longer; nothing is called. Called in `on_event`."""

    def begin(self, work: Call) -> None:
        """Have `work` done as a task, soon. Called in `on_event`."""
