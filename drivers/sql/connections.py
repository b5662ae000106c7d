"""Who has which connection to an SQLite file, and how is none left open when the process forks?

A connection that is open at a fork poisons the child: SQLite there believes to hold locks that the operating system knows nothing of, and
when the parent closes its own, the write-ahead log is removed under the child, with what the child has acknowledged
(sqlite.org/howtocorrupt.html §2.6). So idle connections are closed before a fork, and ones in use waited for.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)
IDLE = 8
"""Connections kept open for the next call."""
PATIENCE = 5.0
"""Seconds that a fork waits for threads that are in the middle of a call."""


class _Process:
    """The connections of one process. `condition` guards the others, and is held while the process forks."""

    def __init__(self) -> None:
        self.condition = threading.Condition(threading.Lock())
        self.idle: list[sqlite3.Connection] = []
        self.lent = 0
        self.here = threading.local()
        self.forking = False

    def lent_here(self, more: int = 0) -> int:
        """How many the current thread has."""
        self.here.lent = getattr(self.here, "lent", 0) + more
        return int(self.here.lent)


class Connections:
    """Lends connections, one borrower at a time each. Closed by `close`."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._processes: dict[int, _Process] = {}
        self._closed = False
        # hooks cannot be taken back: they must not keep a closed storage alive
        me = weakref.ref(self)
        os.register_at_fork(before=lambda: _Hooks.before(me()), after_in_parent=lambda: _Hooks.after(me()))

    @property
    def closed(self) -> bool:
        return self._closed

    @contextmanager
    def borrowed(self) -> Iterator[sqlite3.Connection]:
        """A connection, opened if none is idle."""
        process = self._process()
        with process.condition:
            connection = process.idle.pop() if process.idle else None
            process.lent += 1
            process.lent_here(+1)
        try:
            connection = connection or self._connect()
            yield connection
        finally:
            with process.condition:
                process.lent -= 1
                process.lent_here(-1)
                if connection is not None:
                    self._take_back(process, connection)
                process.condition.notify_all()

    def _take_back(self, process: _Process, connection: sqlite3.Connection) -> None:
        if len(process.idle) < IDLE and not self._closed:
            process.idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close what is idle now, and the rest when it comes back."""
        self._closed = True
        process = self._process()
        with process.condition:
            _close(process.idle)

    def _process(self) -> _Process:
        return self._processes.get(os.getpid()) or self._processes.setdefault(os.getpid(), _Process())

    def before_fork(self) -> None:
        process = self._process()
        process.condition.acquire()
        try:
            if not process.condition.wait_for(lambda: process.lent <= process.lent_here(), PATIENCE):
                log.warning("forked while %d calls to the storage were running", process.lent)
            _close(process.idle)
        finally:
            # not before the wait, in which another thread may fork and take the flag away
            process.forking = True

    def after_fork(self) -> None:
        process = self._process()
        if process.forking:
            process.forking = False
            process.condition.release()


class _Hooks:
    """What is left of a storage in the hooks of a fork."""

    @staticmethod
    def before(connections: Connections | None) -> None:
        if connections is not None:
            connections.before_fork()

    @staticmethod
    def after(connections: Connections | None) -> None:
        if connections is not None:
            connections.after_fork()


def _close(connections: list[sqlite3.Connection]) -> None:
    while connections:
        connections.pop().close()
