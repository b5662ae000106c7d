"""A connection outside of the pool, for calls that must not take long: it is made when it is needed, by a thread of its own."""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import psycopg

from drivers import StorageError
from drivers.sql.boundedconnection import BoundedConnection
from drivers.sql.postgreserrors import READ_ONLY, OutcomeUnknown

T = TypeVar("T")
Connect = Callable[[], BoundedConnection]
Translate = Callable[[psycopg.Error | OutcomeUnknown], StorageError]
LEAST = 0.05
"""Seconds below which a call is not begun: it would fail, and cost the connection."""


class _Attempt:
    """One attempt to connect, which may take longer than the call that needs it: a name to look up, hosts that say nothing."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._done = threading.Event()
        self._connection: BoundedConnection | None = None
        self._error: Exception | None = None
        self._lock = threading.Lock()
        self._unwanted = False
        threading.Thread(target=self._run, daemon=True, name="connecting to PostgreSQL").start()

    def _run(self) -> None:
        try:
            connection = self._connect()
        except Exception as e:
            self._error = e
        else:
            with self._lock:
                self._connection = connection
                if self._unwanted:
                    connection.close()
        self._done.set()

    def result(self, seconds: float) -> BoundedConnection | None:
        """The connection; None: not yet. Raises what the attempt raised."""
        if not self._done.wait(max(0.0, seconds)):
            return None
        if self._error is not None:
            raise self._error
        return self._connection

    def abandon(self) -> None:
        """Close the connection, also if it is made later."""
        with self._lock:
            self._unwanted = True
            if self._connection is not None:
                self._connection.close()


class BoundedSession:
    """Calls on one connection, one at a time."""

    def __init__(self, connect: Connect, translate: Translate, seconds: float) -> None:
        """`connect` raises psycopg.Error; `seconds`: what a call may take in all, but where it says otherwise."""
        self._connect = connect
        self._translate = translate
        self._seconds = seconds
        self._lock = threading.Lock()
        self._attempt: _Attempt | None = None
        self._connection: BoundedConnection | None = None
        self._closed = False

    def call(self, work: Callable[[BoundedConnection], T], seconds: float | None = None) -> T:
        """What `work` returns. Raises StorageError; the next call connects again if the connection is of no use."""
        until = time.monotonic() + (seconds or self._seconds)
        if not self._lock.acquire(timeout=until - time.monotonic()):
            raise StorageError("the database has not answered another call yet")
        try:
            connection = self._connected(until)
            if until - time.monotonic() < LEAST:
                raise StorageError("the database cannot be reached: connecting took too long")
            with connection.ending(until - time.monotonic()):
                return work(connection)
        except (psycopg.Error, OutcomeUnknown) as e:
            if isinstance(e, psycopg.Error) and e.sqlstate == READ_ONLY:  # what was the primary before
                self._drop()
            raise self._translate(e) from e
        finally:
            self._lock.release()

    def _connected(self, until: float) -> BoundedConnection:
        if self._closed:
            raise StorageError("the storage has been closed")
        connection = self._connection
        if connection is not None and not connection.closed and _has_ended(connection):
            connection.close()
        if connection is None or connection.closed:
            attempt = self._attempt = self._attempt or _Attempt(self._connect)
            try:
                connection = attempt.result(until - time.monotonic())
            except Exception:
                self._attempt = None
                raise
            if connection is None:
                raise StorageError("the database cannot be reached: a connection is being made")
            self._attempt, self._connection = None, connection
        return connection

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                connection.close()

    def close(self) -> None:
        """Close the connection, once a call that is under way has ended."""
        self._closed = True
        with self._lock:
            self._drop()
            if self._attempt is not None:
                self._attempt.abandon()
                self._attempt = None


def _has_ended(connection: BoundedConnection) -> bool:
    """Whether the server has said something while nobody asked: that it ends the session, as a rule. Then there is no use in asking."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))
