"""The connection pool of an SQLite file, which is closed before the process forks.

A connection that is open at a fork corrupts data: SQLite in the child assumes locks that the operating system does not have, and when
the parent closes its own connection, the write-ahead log is removed with changes that the child has acknowledged
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
from functools import partial

log = logging.getLogger("xmpp_rest.storage")
IDLE = 8
"""Connections kept open for the next call."""
PATIENCE = 5.0
"""Seconds that a fork waits for threads that are inside a call."""


class _ProcessConnections:
    """The connections of one process. `condition` guards the others, and is held while the process forks."""

    def __init__(self) -> None:
        self.condition = threading.Condition(threading.Lock())
        self.idle: list[sqlite3.Connection] = []
        self.lent = 0
        self.here = threading.local()
        self.forking = False

    def lent_here(self, more: int = 0) -> int:
        """The number of connections that the current thread has borrowed."""
        self.here.lent = getattr(self.here, "lent", 0) + more
        return int(self.here.lent)


class SQLiteConnections:
    """Lends connections, each to one borrower at a time. Closed by `close`."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._processes: dict[int, _ProcessConnections] = {}
        self._closed = False
        before, after = weakref.WeakMethod(self.before_fork), weakref.WeakMethod(self.after_fork)
        os.register_at_fork(before=partial(_call_if_alive, before), after_in_parent=partial(_call_if_alive, after))

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

    def _take_back(self, process: _ProcessConnections, connection: sqlite3.Connection) -> None:
        if len(process.idle) < IDLE and not self._closed:
            process.idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close idle connections now, and the others when they are returned."""
        self._closed = True
        process = self._process()
        with process.condition:
            _close(process.idle)

    def _process(self) -> _ProcessConnections:
        return self._processes.get(os.getpid()) or self._processes.setdefault(os.getpid(), _ProcessConnections())

    def before_fork(self) -> None:
        process = self._process()
        process.condition.acquire()
        try:
            if not process.condition.wait_for(lambda: process.lent <= process.lent_here(), PATIENCE):
                log.warning("forked while %d calls to the storage were running", process.lent)
            _close(process.idle)
        finally:
            # not before the wait, in which another thread may fork and clear the flag
            process.forking = True

    def after_fork(self) -> None:
        process = self._process()
        if process.forking:
            process.forking = False
            process.condition.release()


def _call_if_alive(method: weakref.WeakMethod[Callable[[], None]]) -> None:
    """The hook of a fork; it cannot be unregistered, and must not keep a closed storage alive."""
    if call := method():
        call()


def _close(connections: list[sqlite3.Connection]) -> None:
    while connections:
        connections.pop().close()
