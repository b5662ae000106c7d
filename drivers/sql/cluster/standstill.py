"""Ends the sessions of processes that stand still in the midst of a change, where they keep a lease from being taken.

The database itself ends a session that says nothing for too long between two statements. But it waits as long as the connection lasts
for the rest of a statement, and for an answer to be read: none of its limits is running then (seen with PostgreSQL 15 and 17).
"""

# many-machines §6

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from drivers import StorageError
from drivers.sql.session import DatabaseSession, Row

log = logging.getLogger("xmpp_rest.storage")

EVERY = 0.1
"""Seconds between two looks."""
OWN = "SELECT pg_backend_pid()"
# what waits for its client; a candidate for the same lease waits for a lock, and a commit for the disk or a standby
END = (
    'SELECT a."pid", pg_terminate_backend(a."pid") FROM pg_stat_activity AS a WHERE a."pid"=ANY(pg_blocking_pids(?)) '
    "AND a.\"wait_event_type\"='Client' AND a.\"state_change\"<clock_timestamp()-make_interval(secs => ?)"
)


class StandstillEnder:
    """For one process that takes leases."""

    def __init__(self, look: Callable[[Callable[[DatabaseSession], list[Row]]], list[Row]], seconds: float) -> None:
        """`look` runs work on another connection than those that wait; `seconds`: how long a session may say nothing."""
        self._look = look
        self._seconds = seconds

    @contextmanager
    def ending(self, session: DatabaseSession) -> Iterator[None]:
        """A context, within a transaction of `session`, in which it waits for a lock."""
        waiting, done = _process_of(session), threading.Event()
        if waiting is not None:
            threading.Thread(target=self._run, args=(waiting, done), name="taking a lease", daemon=True).start()
        try:
            yield
        finally:
            done.set()

    def _run(self, waiting: int, done: threading.Event) -> None:
        while not done.wait(EVERY):
            try:
                ended = self._look(lambda session: session.rows(END, waiting, self._seconds))
            except StorageError as e:
                log.warning("it is not known what keeps a lease from being taken: %s", e)
                return
            for process, _ in ended:
                log.warning("a session that stood still in the midst of a change was ended, process %d of the database", process)


def _process_of(session: DatabaseSession) -> int | None:
    """The process of the server that runs this transaction; None with an engine that knows no processes."""
    session.run("SAVEPOINT process")
    try:
        return int(session.rows(OWN)[0][0])
    except psycopg.Error:
        session.run("ROLLBACK TO SAVEPOINT process")
        return None
