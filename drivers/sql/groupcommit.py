"""How do many threads share the price of one commit? Whoever gets the turn writes for all who wait.

A commit waits for the disk, the same time for one change as for a hundred. So threads queue their changes; the one whose turn it is
takes all that wait into one transaction, each behind a savepoint of its own, and commits once. Nobody returns before the commit that
holds his change.

So a change may run in another thread than the one that asked for it: with the context variables of the latter, and its exceptions go there.
"""

from __future__ import annotations

import contextvars
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from drivers import StorageError

T = TypeVar("T")
MOST = 256  # changes in one transaction


class Change(Generic[T]):
    """One thread's change: what to do with the connection, and what came of it."""

    def __init__(self, work: Callable[[sqlite3.Connection], T]) -> None:
        self._work = work
        self._thread = threading.get_ident()
        self._context = contextvars.copy_context()
        self._result: T | None = None
        self._error: BaseException | None = None
        self.done = False

    def run_alone(self, connection: sqlite3.Connection) -> None:
        """Do it as the only change of its transaction, which comes to nothing if it raises."""
        self._result = self._context.run(self._work, connection)

    def run(self, connection: sqlite3.Connection) -> None:
        """Do it, or leave no trace of it in the transaction."""
        connection.execute("SAVEPOINT change")
        try:
            self._result = self._context.run(self._work, connection)
        except BaseException as e:
            if self._interrupts(e):
                raise
            self._error = e
            if not connection.in_transaction:  # SQLite itself rolls back where the disk is full
                raise
            connection.execute("ROLLBACK TO change")
        connection.execute("RELEASE change")

    def _interrupts(self, error: BaseException) -> bool:
        """Whether this may have come from a signal, which only the main thread hears of, while it was doing another one's work."""
        main = threading.main_thread().ident
        return not isinstance(error, Exception) and threading.get_ident() == main != self._thread

    def fail(self, error: BaseException) -> None:
        """The transaction came to nothing. What interrupts a thread is for that thread alone to raise."""
        if not isinstance(error, Exception) and self._thread != threading.get_ident():
            error = StorageError("the thread that was writing for this one was interrupted")
        self._error = self._error or error

    def result(self) -> T:
        """What the work returned. Raises what it raised, or what the commit did."""
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]


class GroupCommit:
    """The queue of one process. `transact` runs changes in one transaction; it raises nothing and lets each change know."""

    def __init__(self, transact: Callable[[Sequence[Change[Any]]], None], patience: float) -> None:
        self._transact = transact
        self._patience = patience
        self._waiting: list[Change[Any]] = []
        self._queue = threading.Lock()
        self._turn = threading.Lock()
        self._writer: int | None = None  # the thread that has the turn

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Have `work` done in a transaction that is committed when this returns. Raises what it raises, and StorageError."""
        return self.run_all([work])[0].result()

    def run_all(self, works: Sequence[Callable[[sqlite3.Connection], T]]) -> list[Change[T]]:
        """Have all of `works` done, each by itself or not at all; they are settled when this returns. Raises StorageError."""
        if self._writer == threading.get_ident():
            raise StorageError("a function given to update() must not write to the same storage")
        changes = [Change(work) for work in works]
        if not changes:
            return changes
        with self._queue:
            self._waiting += changes
        if not self._turn.acquire(timeout=self._patience):
            self._withdraw(changes)
        try:
            self._writer = threading.get_ident()
            while not changes[-1].done:  # with more than MOST before it, it is not in the first transaction
                self._write()
        finally:
            self._writer = None
            self._turn.release()
        return changes

    def _write(self) -> None:
        """Write for all who wait, oneself included."""
        with self._queue:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        try:
            self._transact(batch)
        finally:
            for change in batch:
                change.done = True

    def _withdraw(self, changes: Sequence[Change[Any]]) -> None:
        """Give up while nobody has begun with the changes; otherwise their outcome is waited for, with the turn."""
        with self._queue:
            waits = all(change in self._waiting for change in changes)
            if waits:
                self._waiting = [change for change in self._waiting if change not in changes]
        if waits:
            raise StorageError(f"other threads have been writing for {self._patience:.0f} s")
        if not self._turn.acquire(timeout=self._patience):
            raise StorageError(f"other threads have been writing for {2 * self._patience:.0f} s; the change may have been made")
