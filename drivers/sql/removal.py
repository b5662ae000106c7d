"""Removal of what may be much, in parts: another writer waits for one part at most, some 10 ms.

After a crash or an error a part may be gone, and the call has not returned; it can be made again. An account's own record goes last,
so that nobody can make the account again, and find what is left.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from drivers import EVERY_ITEM, ArchiveQuery
from drivers.names import Key
from drivers.sql import archive, contents, lists, positions
from drivers.sql.archive import ItemSelection
from drivers.sql.session import DatabaseSession, Engine
from drivers.sql.timeline import Timeline

PART = 200
"""Rows removed in one transaction. An archive's row is in seven indexes, and takes about 17 µs."""
LOOK = 100 * PART
"""Items looked up at a time."""
ROWS = 'SELECT COUNT(*) FROM (SELECT 1 FROM "{}" WHERE "host"=? AND "user"=? LIMIT ?) AS c'
LAST_ITEM = f'SELECT MAX(a."sort_id") FROM {archive.PLAIN} WHERE {archive.WHERE}'  # noqa: S608
LAST_ENTRY = f'SELECT MAX("id") FROM "xmpprest_list" {lists.WHERE}'  # noqa: S608
# from the end, so that what remains after a crash is the beginning of the list, in its order
ENTRIES = f'SELECT "id" FROM "xmpprest_list" {lists.WHERE} AND "id"<=? ORDER BY "id" DESC LIMIT ?'  # noqa: S608


def archive_delete(engine: Engine, timeline: Timeline, key: Key, query: ArchiveQuery) -> int:
    """Remove the items that match, and were there when this was called; their number."""
    first_part = replace(query, limit=_most(query.limit, PART + 1))  # in the order of arrival
    timeline.prepare(key, first_part)

    def first(session: DatabaseSession) -> tuple[ItemSelection, list[int], int]:
        selection = ItemSelection(session, key, query, timeline.bounds(session, key, first_part))
        ids = selection.ids(session, first_part)
        if len(ids) <= PART:
            return selection, [], archive.delete(session, ids)
        selection.upto(session.rows(LAST_ITEM, *key)[0][0])
        return selection, ids[:PART], archive.delete(session, ids[:PART])

    selection, ids, count = engine.write(key, first)
    while ids:
        left = None if query.limit is None else query.limit - count
        ids = engine.read(lambda session: selection.ids(session, query, _most(left, LOOK)))  # noqa: B023  # called at once
        for i in range(0, len(ids), PART):
            time.sleep(engine.pause)
            count += engine.write(key, partial(archive.delete, ids=ids[i : i + PART]))
    return count


def _most(limit: int | None, most: int) -> int:
    return most if limit is None else min(limit, most)


def list_remove(engine: Engine, key: Key) -> None:
    """Remove a list."""
    last = engine.read(lambda session: session.rows(LAST_ENTRY, *key)[0][0])

    def part(session: DatabaseSession) -> bool:
        positions.forget(session, key)
        ids = [id_ for (id_,) in session.rows(ENTRIES, *key, last, PART)]
        if ids:
            session.run(f'DELETE FROM "xmpprest_list" WHERE "id" IN ({archive.marks(len(ids))})', *ids)  # noqa: S608
        return len(ids) == PART

    if last is not None:
        _repeat(engine, key, part)


def purge(engine: Engine, timeline: Timeline, key: Key) -> None:
    """Remove everything of a user: in parts what may be long, and the rest, with what has come meanwhile, at once."""
    for store, sort in engine.read(lambda session: contents.stores(session, key.host, key.user) if _is_much(session, key) else []):
        if sort == "archive":
            archive_delete(engine, timeline, key._replace(store=store), EVERY_ITEM)
        elif sort == "list":
            list_remove(engine, key._replace(store=store))
    engine.write(key, lambda session: contents.purge(session, key))


def _is_much(session: DatabaseSession, key: Key) -> bool:
    """Whether a user has more rows than one part in archives, or in lists."""
    counts = (session.rows(ROWS.format(table), key.host, key.user, PART + 1)[0][0] for table in ("prosodyarchive", "xmpprest_list"))
    return any(count > PART for count in counts)


def _repeat(engine: Engine, key: Key, part: Callable[[DatabaseSession], bool]) -> None:
    """Do a part in a transaction of its own while it says that there is more."""
    while engine.write(key, part):
        time.sleep(engine.pause)
