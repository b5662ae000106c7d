"""What an importer asks of a database: which columns a table has, and rows in an order, one after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from xmpp_rest.importing.sources import BadSource

Row = dict[str, Any]


class Database(Protocol):
    """One database, as it was when it was opened. Methods raise BadSource."""

    def columns(self, table: str) -> frozenset[str]:
        """The names of the columns, in small letters; none if there is no such table."""

    def rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """The rows of a SELECT, which are never all in memory."""

    def close(self) -> None:
        """End the use of the database."""


class SourceTable(NamedTuple):
    """A table in a SELECT. Columns that it does not have are left out of conditions, and have their default in the rows.

    `wanted`: name in the row → the default, also in place of NULL; the column is read as text if that is text. `renamed`: name in the
    row → column, where they differ. `on`: its column → an expression of the tables before it. `optional`: rows without any of this
    table stay. `also`: a further condition. `distinct`: rows with these columns count once.
    """

    name: str
    wanted: Mapping[str, Any] = {}
    on: Mapping[str, str] = {}
    optional: bool = False
    also: str = ""
    distinct: tuple[str, ...] = ()
    renamed: Mapping[str, str] = {}


def select(database: Database, tables: Sequence[SourceTable], order: Sequence[str] = (), where: str = "") -> Iterator[Row]:
    """The joined rows of tables, ordered by `table.column` as the database compares; none if a table that is not optional is missing."""
    statement = query(database, tables, order, where)
    if statement is None:
        return
    defaults = {name: default for table in tables for name, default in table.wanted.items()}
    for row in database.rows(statement):
        found = zip(defaults.items(), row, strict=True)
        yield {name: _fitting(value, default) for (name, default), value in found}


def _fitting(value: Any, default: Any) -> Any:
    """A value as text where the default is text: any column of an SQLite file, so of a dump, may have a value of any type."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return default
    if isinstance(default, str) and isinstance(value, bytes | int | float):
        return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return value


def query(database: Database, tables: Sequence[SourceTable], order: Sequence[str], where: str = "") -> str | None:
    """The SELECT for these tables; None if one that is not optional is missing."""
    there = {table.name: database.columns(table.name) for table in tables}
    if not all(there[table.name] or table.optional for table in tables):
        return None
    fields = [_field(table, name, there[table.name]) for table in tables for name in table.wanted]
    joins = [_joined(table, there[table.name]) for table in tables[1:] if there[table.name]]
    by = [_named(*name.split(".")) for name in order if name.partition(".")[2] in there[name.partition(".")[0]]]
    parts = [f"SELECT {', '.join(fields) or '1'}", f"FROM {_source(tables[0], there[tables[0].name])}", *joins]
    parts += [f"WHERE {where}"] if where else []
    return " ".join(parts + ([f"ORDER BY {', '.join(by)}"] if by else []))


def count(database: Database, tables: Sequence[SourceTable], where: str = "") -> int:
    """The number of such rows."""
    statement = query(database, [table._replace(wanted={}) for table in tables], (), where)
    return sum(int(number) for (number,) in database.rows(statement.replace("SELECT 1 ", "SELECT count(*) ", 1))) if statement else 0


def _named(table: str, column: str) -> str:
    return f'"{table}"."{column}"'


def _field(table: SourceTable, name: str, there: frozenset[str]) -> str:
    column = table.renamed.get(name, name)
    return _named(table.name, column) if column in there else "NULL"


def _source(table: SourceTable, there: frozenset[str]) -> str:
    columns = ", ".join(f'"{name}"' for name in table.distinct if name in there)
    return f'(SELECT DISTINCT {columns} FROM "{table.name}") AS "{table.name}"' if columns else f'"{table.name}"'  # noqa: S608


def _joined(table: SourceTable, there: frozenset[str]) -> str:
    equal = [f"{_named(table.name, column)} = {other}" for column, other in table.on.items() if column in there]
    kind = "LEFT JOIN" if table.optional else "JOIN"
    return f"{kind} {_source(table, there)} ON {' AND '.join([*equal, *filter(None, [table.also])])}"


class GroupedRows:
    """Rows in the order of another query, handed out to the row of that query that they belong to."""

    def __init__(self, rows: Iterator[Row], key: Callable[[Row], object]) -> None:
        self._rows = rows
        self._key = key
        self._head = next(rows, None)

    def of(self, key: object) -> Iterator[Row]:
        """The rows with this key, if they come next. What is not consumed must be skipped by `skip` before the next key."""
        while self._head is not None and self._key(self._head) == key:
            row, self._head = self._head, None
            self._head = next(self._rows, None)
            yield row

    def require_end(self) -> None:
        """Raise BadSource if rows are left: the database has sorted them in another order than the query that they follow."""
        if self._head is not None:
            raise BadSource(
                f"the database sorts one column in two ways, so that not all was read; the first such row is of {self._key(self._head)}"
            )

    def skip(self, key: object) -> None:
        """Pass over what is left of this key."""
        for _ in self.of(key):
            continue
