"""Plain lists in a table of ours beside Prosody's.

Prosody's SQL storage has no lists (it keeps them in files), so they are in a table of ours, which Prosody never reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from drivers import StorageError, Value
from drivers.jsontext import json_text
from drivers.names import Key
from drivers.sql import positions
from drivers.sql.session import DatabaseSession
from drivers.sql.typed import json_value

WHERE = 'WHERE "host"=? AND "user"=? AND "store"=?'
SELECT = f'SELECT "value" FROM "xmpprest_list" {WHERE} AND "id">=? ORDER BY "id" LIMIT ? OFFSET ?'  # noqa: S608
EXISTS = f'SELECT 1 FROM "xmpprest_list" {WHERE} LIMIT 1'  # noqa: S608
INSERT = ('INSERT INTO "xmpprest_list" ("host", "user", "store", "value")', "(?, ?, ?, ?)")
DELETE_ALL = f'DELETE FROM "xmpprest_list" {WHERE}'  # noqa: S608
ENDLESS = 2**62


class Part(NamedTuple):
    """A part of a list; `skipped`: items that were read before the first one of it."""

    items: list[Value] | None
    skipped: int


def load(session: DatabaseSession, key: Key, start: int = 0, stop: int | None = None) -> Part:
    """The items from `start` up to `stop`; None if there is no list."""
    limit = ENDLESS if stop is None else max(0, stop - start)
    near = positions.nearest(session, key, start)
    skipped = start - max(0, near.position)
    rows = session.rows(SELECT, *key, near.id, limit, skipped)
    if not rows and not session.rows(EXISTS, *key):
        return Part(None, 0)
    return Part([item(key, text) for (text,) in rows], skipped if rows else 0)


def item(key: Key, text: str) -> Value:
    """The value of an item. Raises StorageError."""
    try:
        return json_value(text)
    except ValueError as e:
        raise StorageError(f"an item of the list {key.store!r} is not JSON: {e}") from e


def append(session: DatabaseSession, key: Key, new: Value) -> None:
    """Add a canonical item."""
    session.insert(*INSERT, [(*key, json_text(new))])


def store(session: DatabaseSession, key: Key, items: Iterable[Value]) -> None:
    """Replace the list by canonical items."""
    positions.forget(session, key)
    session.run(DELETE_ALL, *key)
    session.insert(*INSERT, [(*key, json_text(value)) for value in items])
