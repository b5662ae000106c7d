"""Bounds how long a commit on PostgreSQL waits for a synchronous standby.

`statement_timeout` does not: PostgreSQL ends its timer before it commits. So a thread looks once a second for commits that take too long,
and cancels them. The transaction is committed in the primary then, which says so by a warning.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

log = logging.getLogger("xmpp_rest.storage")
EVERY = 1.0
"""Seconds between two looks."""
CANCELLING = 5.0
"""Seconds that a cancellation may take, which makes a connection of its own."""


class CommitWatch:
    """The commits of one process that are being waited for. Its thread is started by the first one, and rests while there are none."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._began: dict[psycopg.Connection[tuple[object, ...]], float] = {}
        self._some = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = False

    def stop(self) -> None:
        """Let the thread end, once no commit is waited for; no other one comes. Does not wait."""
        self._stopping = True
        self._some.set()

    @contextmanager
    def watching(self, connection: psycopg.Connection[tuple[object, ...]]) -> Iterator[None]:
        """A context for a commit."""
        self._began[connection] = time.monotonic()
        self._some.set()
        if self._thread is None:
            self._start()
        try:
            yield
        finally:
            self._began.pop(connection, None)

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="commits of PostgreSQL")
                self._thread.start()

    def _run(self) -> None:
        while self._some.wait():
            time.sleep(EVERY)
            late = time.monotonic() - self._seconds
            for connection, began in self._began.copy().items():
                if began < late and self._began.pop(connection, 0.0):
                    self._cancel(connection)
            self._some.clear()
            if self._began:
                self._some.set()
            elif self._stopping:
                return

    def _cancel(self, connection: psycopg.Connection[tuple[object, ...]]) -> None:
        log.warning("a commit has waited for a synchronous standby for %.0f s", self._seconds)
        try:
            connection.cancel_safe(timeout=CANCELLING)
        except psycopg.Error as e:
            log.warning("a commit could not be cancelled: %s", e)
