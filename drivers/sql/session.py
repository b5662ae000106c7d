"""What do the SQL statements need from a database? A session to run them in, and an engine that opens sessions.

Statements are written with `?` for parameters; an engine whose database wants another sign replaces it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from drivers.names import Key

T = TypeVar("T")
Row = tuple[Any, ...]


class Session(ABC):
    """One connection, inside a transaction if it writes."""

    @abstractmethod
    def rows(self, sql: str, *parameters: Any) -> list[Row]:
        """Every row that a query gives."""

    def texts(self, sql: str, columns: Sequence[str], *parameters: Any) -> list[Row]:
        """As `rows`, for a query that gives these columns and text in all of them; cheaper where every row has a price."""
        return self.rows(sql, *parameters)

    @abstractmethod
    def run(self, sql: str, *parameters: Any) -> int:
        """Run a statement; how many rows it touched."""

    @abstractmethod
    def many(self, sql: str, rows: Iterable[Row]) -> None:
        """Run a statement once per row of parameters."""

    def insert(self, into: str, values: str, rows: Sequence[Row]) -> None:
        """Run `into VALUES values`, once per row of parameters; cheaper where every statement has a price."""
        self.many(f"{into} VALUES {values}", rows)


class Engine(ABC):
    """Opens sessions. Every error of the database leaves it as a StorageError, what `work` itself raises goes through."""

    @abstractmethod
    def read(self, work: Callable[[Session], T]) -> T:
        """Run `work` where it may read. It may be run again, after a conflict."""

    @abstractmethod
    def write(self, key: Key, work: Callable[[Session], T]) -> T:
        """Run `work` in a transaction that no other writer of `key` comes between; it is on disk at return. It may be run again."""

    def write_all(self, works: Sequence[tuple[Key, Callable[[Session], T]]]) -> list[T | Exception]:
        """As `write` for each of them; what it returned or raised. With fewer waits for the disk, where that can be."""
        results: list[T | Exception] = []
        for key, work in works:
            try:
                results.append(self.write(key, work))
            except Exception as e:
                results.append(e)
        return results

    @abstractmethod
    def exists(self) -> bool:
        """Whether there are tables already; none are made by asking."""

    @abstractmethod
    def read_only(self) -> None:
        """From now on nothing is made or changed; tables that are missing count as empty."""

    @abstractmethod
    def close(self) -> None:
        """Give the connections back."""
