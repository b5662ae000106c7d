"""Group commit: threads share one transaction, which one of them writes for all that wait.

A commit waits for the disk, the same time for one change as for a hundred. So threads queue their changes; one of them, the writer, runs
all that wait in one transaction, each after a savepoint of its own, and commits once. No thread returns before the commit that contains
its change.

So a change may run in another thread than the one that queued it: with the context variables of the latter, which also gets its exceptions.
"""

from __future__ import annotations

import contextvars
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from drivers import StorageError

T = TypeVar("T")
Works = Sequence[Callable[[sqlite3.Connection], T]]
MOST = 256  # changes in one transaction


class GroupedChange(Generic[T]):
    """The change of one thread: its work on the connection, and its outcome."""

    def __init__(self, work: Callable[[sqlite3.Connection], T]) -> None:
        self._work = work
        self._thread = threading.get_ident()
        self._context = contextvars.copy_context()
        self._result: T | None = None
        self._error: BaseException | None = None
        self.done = False

    def run_alone(self, connection: sqlite3.Connection) -> None:
        """Run it as the only change of its transaction, which is rolled back if it raises."""
        self._result = self._context.run(self._work, connection)

    def run_unguarded(self, connection: sqlite3.Connection) -> bool:
        """Run it within the transaction; False if it raises: the transaction is to be rolled back, and every change to be `run`."""
        try:
            self.run_alone(connection)
        except BaseException as e:
            if self._interrupts(e):
                raise
            return False
        return True

    def run(self, connection: sqlite3.Connection) -> None:
        """Run it within the transaction, and undo it if it raises."""
        connection.execute("SAVEPOINT change")
        try:
            self._result = self._context.run(self._work, connection)
        except BaseException as e:
            if self._interrupts(e):
                raise
            self._error = e
            if not connection.in_transaction:  # SQLite itself rolls back if the disk is full
                raise
            connection.execute("ROLLBACK TO change")
        connection.execute("RELEASE change")

    def _interrupts(self, error: BaseException) -> bool:
        """Whether this may come from a signal, which only the main thread receives, while it ran the change of another thread."""
        main = threading.main_thread().ident
        return not isinstance(error, Exception) and threading.get_ident() == main != self._thread

    def fail(self, error: BaseException) -> None:
        """Record that the transaction failed. An interruption is raised only in the interrupted thread."""
        if not isinstance(error, Exception) and self._thread != threading.get_ident():
            error = StorageError("the thread that was writing for this one was interrupted")
        self._error = self._error or error

    def result(self) -> T:
        """The result of the work. Raises what the work or the commit raised."""
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]


class GroupCommit:
    """The queue of one process.

    `transact` begins a transaction, takes the changes that wait by then, and runs them; it raises nothing, and records the outcome in each.
    """

    def __init__(self, transact: Callable[[Callable[[], Sequence[GroupedChange[Any]]]], None], patience: float) -> None:
        self._transact = transact
        self._patience = patience
        self._waiting: list[GroupedChange[Any]] = []
        self._queue = threading.Lock()
        self._turn = threading.Lock()
        self._writer: int | None = None  # the thread that writes for all

    def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a transaction that is committed when this returns. Raises what it raises, and StorageError."""
        return self.run_all([work])[0].result()

    def run_all(self, works: Works[T], more: Callable[[], Works[T]] = tuple) -> list[GroupedChange[T]]:
        """Run all of `works`, each atomically, and what `more` gives when they begin; their outcomes are known when this returns.

        Raises StorageError.
        """
        if self._writer == threading.get_ident():
            raise StorageError("a function given to update() must not write to the same storage")
        changes = [GroupedChange(work) for work in works]
        if not changes:
            return changes
        joins = True

        def join() -> list[GroupedChange[T]]:
            nonlocal joins
            joined = [GroupedChange(work) for work in more()] if joins else []
            joins = False
            changes.extend(joined)
            return joined

        with self._queue:
            self._waiting += changes
        if not self._turn.acquire(timeout=self._patience):
            self._withdraw(changes)
        try:
            self._writer = threading.get_ident()
            while not changes[-1].done:  # it is not in the first transaction if more than MOST are queued before it
                self._write(join)
        finally:
            self._writer = None
            self._turn.release()
        return changes

    def _write(self, join: Callable[[], Sequence[GroupedChange[Any]]]) -> None:
        """Write the changes of all waiting threads, this one included."""
        batch: list[GroupedChange[Any]] = []

        def take() -> Sequence[GroupedChange[Any]]:
            joined = join()
            with self._queue:
                waiting = [*self._waiting, *joined]
                batch[:], self._waiting = waiting[:MOST], waiting[MOST:]
            return batch

        try:
            self._transact(take)
        finally:
            for change in batch:
                change.done = True

    def _withdraw(self, changes: Sequence[GroupedChange[Any]]) -> None:
        """Withdraw changes that have not been started; otherwise wait for their outcome."""
        with self._queue:
            waits = all(change in self._waiting for change in changes)
            if waits:
                self._waiting = [change for change in self._waiting if change not in changes]
        if waits:
            raise StorageError(f"other threads have been writing for {self._patience:.0f} s")
        if not self._turn.acquire(timeout=self._patience):
            raise StorageError(f"other threads have been writing for {2 * self._patience:.0f} s; the change may have been made")
