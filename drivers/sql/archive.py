"""Archives in the table `prosodyarchive`.

Prosody's column `when` has whole seconds (only Prosody 13 on SQLite writes fractions there), and the code of 0.12 fails on others; so the
exact time is in a table of ours, and is used while both agree on the second. Order of arrival is `sort_id`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from drivers import ArchiveItem, ArchiveQuery, ItemNotFound
from drivers.names import Key
from drivers.sql import schema
from drivers.sql.session import DatabaseSession, Engine, Row
from drivers.sql.timeline import NOWHERE, PositionBounds

WHERE = 'a."host"=? AND a."user"=? AND a."store"=?'
PLAIN = '"prosodyarchive" AS a'
TIMED = f'{PLAIN} LEFT JOIN "xmpprest_time" AS t ON t."sort_id"=a."sort_id" AND t."at">=a."when" AND t."at"<a."when"+1'
MOMENT = 'COALESCE(t."at", a."when")'
ITEMS = f'SELECT a."key", {MOMENT}, a."with", a."value" FROM {TIMED} WHERE a."sort_id" IN (%s) ORDER BY a."sort_id"'  # noqa: S608
POSITION = f'SELECT a."sort_id" FROM {PLAIN} WHERE {WHERE} AND a."key"=?'  # noqa: S608
TAKEN = f'SELECT a."sort_id" FROM {PLAIN} WHERE {WHERE} AND a."key" IN (%s)'  # noqa: S608
INSERT = (
    'INSERT INTO "prosodyarchive" ("host", "user", "store", "key", "when", "with", "type", "value")', "(?, ?, ?, ?, ?, ?, 'xml', ?)",
)  # fmt: skip
INSERT_TIME = ('INSERT INTO "xmpprest_time" ("sort_id", "at")', f"(({POSITION}), ?)")
DELETE_TIMES = 'DELETE FROM "xmpprest_time" WHERE "sort_id" IN (%s)'
DELETE = 'DELETE FROM "prosodyarchive" WHERE "sort_id" IN (%s)'
BATCH = 500
"""Items read at a time, so that a slow reader holds no connection and little memory."""


class ItemSelection:
    """The part of a statement that selects items: tables, conditions and their parameters."""

    def __init__(self, session: DatabaseSession, key: Key, query: ArchiveQuery, bounds: PositionBounds = NOWHERE) -> None:
        """`bounds`: the known bounds of the items between the query's times. Raises ItemNotFound for an unknown `before` or `after`."""
        self.tables = PLAIN
        self.conditions = [WHERE]
        self.parameters: list[Any] = [*key]
        self._times(query, bounds)
        if query.with_ is not None:
            self.conditions[0] = WHERE.replace('a."user"', f"a.{schema.USER}")  # as in the index by partner
            self._add('a."with"=?', query.with_)
        if query.ids is not None:
            self._add(f'a."key" IN ({marks(len(query.ids))})' if query.ids else "1=0", *query.ids)
        if query.before is not None:
            self._add('a."sort_id"<?', position(session, key, query.before))
        if query.after is not None:
            self._add('a."sort_id">?', position(session, key, query.after))

    def _add(self, condition: str, *parameters: Any) -> None:
        self.conditions.append(condition)
        self.parameters += parameters

    def _times(self, query: ArchiveQuery, bounds: PositionBounds) -> None:
        if query.start is not None or query.end is not None:
            self.tables = TIMED
        for sign, time, bound, side in ((">=", query.start, bounds.above, ">"), ("<=", query.end, bounds.below, "<")):
            if time is None:
                continue
            self._add(f"{MOMENT}{sign}?", time)
            if bounds is NOWHERE:
                # lets the database use its index by time; the column has whole seconds, or in SQLite the exact time, if Prosody 13 wrote it
                self._add(f'a."when"{sign}?', math.floor(time) if sign == ">=" else math.ceil(time))
            elif bound is not None:  # lets it use the one by arrival
                self._add(f'a."sort_id"{side}?', bound)

    @property
    def text(self) -> str:
        return f"FROM {self.tables} WHERE {' AND '.join(self.conditions)}"

    def upto(self, last: int) -> None:
        """Leave out what comes after this `sort_id`."""
        self._add('a."sort_id"<=?', last)

    def beyond(self, last: int, query: ArchiveQuery) -> None:
        """Leave out what comes up to this `sort_id`, in the order asked for."""
        self._add(f'a."sort_id"{"<" if query.newest_first else ">"}?', last)

    def ids(self, session: DatabaseSession, query: ArchiveQuery, limit: int | None = None) -> list[int]:
        """`sort_id` of every item that matches, in the order asked for; read from an index alone. `limit`: another one than the query's."""
        order = "DESC" if query.newest_first else "ASC"
        sql = f'SELECT a."sort_id" {self.text} ORDER BY a."sort_id" {order}'
        limit = query.limit if limit is None else limit
        if limit is None:
            return [row[0] for row in session.rows(sql, *self.parameters)]
        return [row[0] for row in session.rows(f"{sql} LIMIT ?", *self.parameters, limit)]

    def begun(self, session: DatabaseSession, query: ArchiveQuery, limit: int | None) -> tuple[list[int], list[ArchiveItem]]:
        """`ids`, and the items of the first BATCH of them that can be read."""
        found = self.ids(session, query, limit)
        return found, items(session, found[:BATCH]) if found else []

    def count_within(self, session: DatabaseSession, most: int) -> int:
        """The number of items that match, but `most` if there are more, which are not read."""
        return int(session.rows(f"SELECT COUNT(*) FROM (SELECT 1 {self.text} LIMIT ?) AS c", *self.parameters, most)[0][0])  # noqa: S608


def marks(count: int) -> str:
    """`?, ?, …`"""
    return ", ".join("?" * count)


def position(session: DatabaseSession, key: Key, item: str) -> int:
    """`sort_id` of the item with this id. Raises ItemNotFound."""
    rows = session.rows(POSITION, *key, item)
    if not rows:
        raise ItemNotFound(f"there is no item {item!r} in this archive")
    return int(rows[0][0])


def items(session: DatabaseSession, ids: list[int]) -> list[ArchiveItem]:
    """The items of these `sort_id`s, in the order of the ids; removed items are left out."""
    rows: list[Row] = session.rows(ITEMS % marks(len(ids)), *ids)
    found = [
        ArchiveItem(id=key, when=float(when), with_=with_, stanza=value)
        for key, when, with_, value in rows
        if isinstance(when, (int, float)) and isinstance(value, str)  # SQLite stores values of any type that another program has written
    ]
    return found[::-1] if ids[0] > ids[-1] else found


def each(engine: Engine, query: ArchiveQuery, selection: ItemSelection, ids: list[int], first: list[ArchiveItem]) -> Iterator[ArchiveItem]:
    """The items of these ids, of which the first batch has been read with them."""
    left = query.limit
    while True:
        yield from first
        count = len(first)
        for i in range(BATCH, len(ids), BATCH):
            batch = engine.read(partial(items, ids=ids[i : i + BATCH]))
            yield from batch
            count += len(batch)
        if left is None or len(ids) < left or count == len(ids):
            return
        # some were removed before they could be read, or cannot be read: a page is not to end early
        left -= count
        selection.beyond(ids[-1], query)
        ids, first = engine.read(partial(selection.begun, query=query, limit=left))


def extend(session: DatabaseSession, key: Key, items: Sequence[ArchiveItem], *, new: bool = False) -> None:
    """Add items in their order; those with the same ids are replaced. `new`: there are none."""
    for i in range(0, len(items), BATCH):
        last: dict[str, ArchiveItem] = {}
        for item in items[i : i + BATCH]:
            last.pop(item.id, None)
            last[item.id] = item
        if not new and (taken := session.rows(TAKEN % marks(len(last)), *key, *last)):
            delete(session, [sort_id for (sort_id,) in taken])
        session.insert(*INSERT, [(*key, item.id, math.floor(item.when), item.with_, item.stanza) for item in last.values()])
        if timed := [(*key, item.id, item.when) for item in last.values() if item.when != math.floor(item.when)]:
            session.insert(*INSERT_TIME, timed)


def delete(session: DatabaseSession, ids: Sequence[int]) -> int:
    """Remove the items of these `sort_id`s; the number of those that were there."""
    count = 0
    for i in range(0, len(ids), BATCH):
        some = ids[i : i + BATCH]
        session.run(DELETE_TIMES % marks(len(some)), *some)
        count += session.run(DELETE % marks(len(some)), *some)
    return count
