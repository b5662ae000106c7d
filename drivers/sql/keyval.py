"""Key-value tables in the table `prosody`."""

from __future__ import annotations

from collections import Counter

from drivers import Table
from drivers.names import Key
from drivers.sql.rows import from_rows, to_rows
from drivers.sql.session import DatabaseSession

WHERE = 'WHERE "host"=? AND "user"=? AND "store"=?'
COLUMNS = ("key", "type", "value")
SELECT = f'SELECT "key", "type", "value" FROM "prosody" {WHERE}'  # noqa: S608
INSERT = ('INSERT INTO "prosody" ("host", "user", "store", "key", "type", "value")', "(?, ?, ?, ?, ?, ?)")
UPDATE = f'UPDATE "prosody" SET "type"=?, "value"=? {WHERE} AND "key"=?'  # noqa: S608
DELETE = f'DELETE FROM "prosody" {WHERE} AND "key"=?'  # noqa: S608
DELETE_ALL = f'DELETE FROM "prosody" {WHERE}'  # noqa: S608


def load(session: DatabaseSession, key: Key) -> Table | None:
    """The table, or None."""
    return from_rows((k, kind, value) for k, kind, value in session.texts(SELECT, COLUMNS, *key))


def store(session: DatabaseSession, key: Key, table: Table | None) -> None:
    """Replace the table (canonical, or None); unchanged rows are not written again, so a change of a long roster is cheap."""
    new = to_rows(table) if table else {}
    if not new:
        session.run(DELETE_ALL, *key)
        return
    old = session.texts(SELECT, COLUMNS, *key)
    times = Counter(row[0] for row in old)
    # the index is not unique: rows of a duplicate key are removed, and one is written
    single = {k: (kind, value) for k, kind, value in old if k in new and times[k] == 1}
    session.many(DELETE, [(*key, k) for k in times.keys() - single.keys()])
    session.many(UPDATE, [(*new[k], *key, k) for k, typed in single.items() if new[k] != typed])
    session.insert(*INSERT, [(*key, k, *typed) for k, typed in new.items() if k not in single])
