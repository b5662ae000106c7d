"""Whole stores, thousands in a transaction: for migrations and imports."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any

from drivers import ArchiveItem, Content, Place, Sort, Table, Value
from drivers.archives import checked_item
from drivers.batches import result_of
from drivers.jsontext import json_text
from drivers.names import Key, checked_key
from drivers.sql import archive, contents, keyval, lists
from drivers.sql.rows import from_rows, to_rows
from drivers.sql.session import DatabaseSession, Engine, Row
from drivers.values import canonical, canonical_table

OWNER = ("host", "user", "store")
COLUMNS = {
    "prosody": (*OWNER, "key", "type", "value"),
    "xmpprest_list": (*OWNER, "value"),
    "prosodyarchive": (*OWNER, "key", "when", "with", "type", "value"),
}

STORE: dict[Sort, Callable[[DatabaseSession, Key, Any], None]] = {"keyval": keyval.store, "list": lists.store, "archive": archive.extend}

MANY = 500
"""Stores that one statement reads, with three parameters each: SQLite takes 32,766, PostgreSQL 65,535."""
STORE_COLUMNS = '"host", "user", "store"'
AFTER = f'SELECT DISTINCT {STORE_COLUMNS} FROM "{{}}" WHERE ({STORE_COLUMNS})>(?, ?, ?) ORDER BY {STORE_COLUMNS} LIMIT 1000'  # noqa: S608
COUNT = f'SELECT COUNT(*) FROM (SELECT DISTINCT {STORE_COLUMNS} FROM "{{}}") AS t'  # noqa: S608
OF_THESE = 'JOIN (VALUES {}) AS k ON p."host"=k.column1 AND p."user"=k.column2 AND p."store"=k.column3'
TABLES = f'SELECT p."host", p."user", p."store", p."key", p."type", p."value" FROM "prosody" AS p {OF_THESE}'  # noqa: S608
LISTS = f'SELECT p."host", p."user", p."store", p."value" FROM "xmpprest_list" AS p {OF_THESE} ORDER BY p."id"'  # noqa: S608
ReadContent = Table | list[Value] | Exception | None


class Contents:
    """Checked contents: rows for what is new, and what has to be compared with what is there."""

    def __init__(self, entries: Iterable[Content]) -> None:
        """Raises BadValue if one of them cannot be kept."""
        self.tables: list[Key] = []
        self._rows: dict[str, list[Row]] = {table: [] for table in COLUMNS}
        self._times: list[Row] = []
        self._old: list[tuple[Content, Key, Any]] = []
        for content in entries:
            key = checked_key(content.user, content.host, content.store)
            if content.sort == "keyval":
                self.tables.append(key)
            {"keyval": self._table, "list": self._list, "archive": self._archive}[content.sort](content, key)

    def _table(self, content: Content, key: Key) -> None:
        table = canonical_table(content.content)
        if content.new:
            self._rows["prosody"] += [(*key, name, *typed) for name, typed in to_rows(table or {}).items()]
        else:
            self._old.append((content, key, table))

    def _list(self, content: Content, key: Key) -> None:
        items = [canonical(item) for item in content.content or ()]
        if content.new:
            self._rows["xmpprest_list"] += [(*key, json_text(item)) for item in items]
        else:
            self._old.append((content, key, items))

    def _archive(self, content: Content, key: Key) -> None:
        items: list[ArchiveItem] = [checked_item(item) for item in content.content or ()]
        if content.new and len({item.id for item in items}) == len(items):
            rows = [(*key, item.id, math.floor(item.when), item.with_, "xml", item.stanza) for item in items]
            self._rows["prosodyarchive"] += rows
            self._times += [(*key, item.id, item.when) for item in items if item.when != math.floor(item.when)]
        else:
            self._old.append((content, key, items))

    def write(self, session: DatabaseSession) -> None:
        """Write all of them."""
        for content, key, value in self._old:
            STORE[content.sort](session, key, value)
        for table, rows in self._rows.items():
            if rows:
                session.copy(table, COLUMNS[table], rows)
        if self._times:
            session.insert(*archive.INSERT_TIME, self._times)


def read(session: DatabaseSession, places: Sequence[Place]) -> list[ReadContent]:
    """The tables and lists at these places; StorageError in place of a list that cannot be read. Raises BadValue for a bad name."""
    keys = [checked_key(*place[:3]) for place in places]
    found: dict[tuple[Key, Sort], ReadContent] = {}
    for i in range(0, len(places), MANY):
        some = list(zip(keys[i : i + MANY], places[i : i + MANY], strict=True))
        tables = _rows(session, TABLES, COLUMNS["prosody"], [key for key, place in some if place.sort == "keyval"])
        found |= {(key, "keyval"): from_rows(rows) for key, rows in tables.items()}
        items = _rows(session, LISTS, COLUMNS["xmpprest_list"], [key for key, place in some if place.sort == "list"])
        found |= {(key, "list"): result_of(partial(_items, key, rows)) for key, rows in items.items()}
    return [found.get((key, place.sort)) for key, place in zip(keys, places, strict=True)]


def _rows(session: DatabaseSession, sql: str, columns: Sequence[str], keys: Sequence[Key]) -> dict[Key, list[Row]]:
    """The other columns of the rows of these keys."""
    rows: dict[Key, list[Row]] = {}
    if keys:
        values = ", ".join(["(?, ?, ?)"] * len(keys))
        for row in session.texts(sql.format(values), columns, *chain.from_iterable(keys)):
            rows.setdefault(Key(*row[:3]), []).append(row[3:])
    return rows


def _items(key: Key, rows: Iterable[Row]) -> list[Value]:
    return [lists.item(key, text) for (text,) in rows]


def places(engine: Engine) -> Iterator[Place]:
    """Every store with content, a thousand in memory at a time."""
    for table, sort in contents.TABLES.items():
        last = Key("", "", "")
        while rows := engine.read(partial(_after, table=table, last=last)):
            last = Key(*rows[-1])
            yield from (Place(user or None, host, store, sort) for host, user, store in rows)


def _after(session: DatabaseSession, table: str, last: Key) -> list[Row]:
    return session.rows(AFTER.format(table), *last)


def count(session: DatabaseSession) -> int:
    """The number of stores with content."""
    return sum(int(session.rows(COUNT.format(table))[0][0]) for table in contents.TABLES)
