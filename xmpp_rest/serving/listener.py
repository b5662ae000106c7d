"""Takes connections, as many as there may be."""

from __future__ import annotations

import errno
import logging
import os
import select
import socket
import time
from collections.abc import Callable
from typing import Any

from xmpp_rest.serving.loop import LOOK, Loop

log = logging.getLogger("xmpp_rest.server")

EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
PASSING = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED, errno.EPROTO)
PAUSE = 0.5  # seconds without taking a connection, where the system has no descriptor for it
QUIET = 60.0  # seconds between two lines about that
CATCH_UP = 8  # connections taken for each LOOK of time that the latest round of the loop has taken: who waits behind a crowd has not many
EXCLUSIVE = select.EPOLLIN | getattr(select, "EPOLLEXCLUSIVE", 0)  # one connection does not wake every process

Accept = Callable[[socket.socket, Any, Any], None]
"""Gets a connection: its socket, the address of the client, and that of the listener."""


class Listener:
    """One listening socket. `has_room`: whether another connection may be taken; `relieve`: closes connections that nobody uses now."""

    def __init__(self, loop: Loop, sock: socket.socket, accept: Accept, has_room: Callable[[], bool], relieve: Callable[[], None]) -> None:
        sock.setblocking(False)
        self._loop = loop
        self._sock = sock
        self._address = sock.getsockname()
        self._accept = accept
        self._has_room = has_room
        self._relieve = relieve
        self._listens = False
        self.stopped = False
        """Whether it takes none any more."""
        self._paused_until = 0.0
        self._quiet_until = 0.0

    def listen(self) -> None:
        """Take connections, unless there is no room, or a pause. Called every second, and when there is room again."""
        if self.stopped or not self._has_room() or time.monotonic() < self._paused_until:
            return
        if self._listens:  # the kernel may have told another process alone of a connection, which has died or has no room (EPOLLEXCLUSIVE)
            self._take(0)
            return
        self._register()

    def stop(self) -> None:
        """Take those that wait already, then none any more. A socket that other processes share goes on there."""
        while not self.stopped and self._has_room() and self._take_one():
            pass
        self.stopped = True
        self._pause()
        self._sock.close()

    def _register(self) -> None:
        self._listens = True
        self._loop.register(self._sock, self._take, EXCLUSIVE)

    def _pause(self) -> None:
        if self._listens:
            self._listens = False
            self._loop.unregister(self._sock)

    def _take(self, _: int) -> None:
        """Take one, and go to the end of the kernel's queue of processes: it tells the first one that waits of the next connection. Without
        this, the same process gets all that come while it has nothing else to do. A process that has much to do takes several.
        """
        for _ in range(max(1, CATCH_UP * int(self._loop.lag / LOOK))):
            if not self._has_room():
                self._pause()
                return
            if not self._take_one():
                return
        if self._listens:
            self._pause()
            self._register()

    def _take_one(self) -> bool:
        """Whether there was a connection."""
        try:
            sock, peer = self._sock.accept()
        except OSError as e:
            if e.errno in EXHAUSTED:
                self._suffer(e)
            elif e.errno not in PASSING:
                raise
            return False
        self._accept(sock, peer, self._address)
        return True

    def _suffer(self, error: OSError) -> None:
        """The system has no descriptor for another connection: take none for a while, and let go those that nobody uses now."""
        now = time.monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + QUIET
            limit = "the limit of open files is RLIMIT_NOFILE: `ulimit -n`"
            log.error("worker %d: no connection is taken for now: %s (%s)", os.getpid(), error.strerror, limit)
        self._paused_until = now + PAUSE
        self._pause()
        self._relieve()
