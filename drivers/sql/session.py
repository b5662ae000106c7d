"""The interface of the databases: sessions, which run SQL statements, and engines, which open sessions.

Statements are written with `?` for parameters; an engine whose database needs another sign replaces it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from drivers.names import Key
from drivers.observed import StorageObserver, Unobserved

T = TypeVar("T")
Row = tuple[Any, ...]
ROWS = 64
"""Most rows in one statement; SQLite takes 32,766 parameters."""


class DatabaseSession(ABC):
    """One connection, inside a transaction if it writes."""

    @abstractmethod
    def rows(self, sql: str, *parameters: Any) -> list[Row]:
        """All rows of a query."""

    def texts(self, sql: str, columns: Sequence[str], *parameters: Any) -> list[Row]:
        """As `rows`, for a query of these columns with text in all of them; faster if each row has a cost."""
        return self.rows(sql, *parameters)

    @abstractmethod
    def run(self, sql: str, *parameters: Any) -> int:
        """Run a statement; the number of rows that it affected."""

    def insert(self, into: str, values: str, rows: Sequence[Row]) -> None:
        """Run `into VALUES values` for these rows of parameters, many of them in one statement.

        Never by a statement for each: SQLite re-acquires the interpreter lock after each, late under load; PostgreSQL would get them in a
        pipeline, and a process that stands still within one keeps its locks, as no limit of time is running in the server then.
        """
        for i in range(0, len(rows), ROWS):
            some = rows[i : i + ROWS]
            self.run(f"{into} VALUES {', '.join([values] * len(some))}", *(value for row in some for value in row))

    @abstractmethod
    def copy(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Insert thousands of rows."""


Works = Sequence[tuple[Key, Callable[[DatabaseSession], T]]]
"""What each changes, and how."""


class Engine(ABC):
    """Opens sessions. Errors of the database are raised as StorageError; exceptions of `work` itself are passed on."""

    pause = 0.0
    """Seconds to wait between the transactions of a long change, so that other writers get their turn."""
    has_summaries = True
    """Whether the database keeps summaries of archives right when items are removed: it needs a trigger. Known after the first read."""

    observer: StorageObserver = Unobserved()

    def observed_by(self, observer: StorageObserver) -> None:
        """Tell this one, and no other, of each commit and each error from now on."""
        self.observer = observer

    @abstractmethod
    def read(self, work: Callable[[DatabaseSession], T]) -> T:
        """Run `work` for reading. It may be run again after a conflict."""

    @abstractmethod
    def write(self, key: Key, work: Callable[[DatabaseSession], T]) -> T:
        """Run `work` in a transaction without other writers of `key`; it is durable at return. It may be run again."""

    def write_all(self, works: Works[T], more: Callable[[], Works[T]] = tuple) -> list[T | Exception]:
        """As `write` for each of them, with fewer waits for the disk if possible; the result or exception of each.

        `more` gives further ones: called at most once, when the writing can begin.
        """
        results: list[T | Exception] = []
        for key, work in (*works, *more()):
            try:
                results.append(self.write(key, work))
            except Exception as e:
                results.append(e)
        return results

    def bulk_write(self, work: Callable[[DatabaseSession], None]) -> None:
        """Run `work` in a transaction; nobody else writes the same stores meanwhile. It may be run again."""
        self.write(Key("", "", ""), work)

    @abstractmethod
    def exists(self) -> bool:
        """Whether the tables exist already; makes none."""

    @abstractmethod
    def read_only(self) -> None:
        """From now on make and change nothing; missing tables count as empty."""

    @abstractmethod
    def close(self) -> None:
        """Close the connections."""
