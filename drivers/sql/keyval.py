"""Key-value tables in the table `prosody`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from drivers import MemberChange, Table
from drivers.members import is_member
from drivers.names import Key
from drivers.sql.rows import from_rows, to_rows
from drivers.sql.session import DatabaseSession, Row
from drivers.sql.typed import TypedValue
from drivers.values import canonical_table

WHERE = 'WHERE "host"=? AND "user"=? AND "store"=?'
COLUMNS = ("key", "type", "value")
SELECT = f'SELECT "key", "type", "value" FROM "prosody" {WHERE}'  # noqa: S608
INSERT = ('INSERT INTO "prosody" ("host", "user", "store", "key", "type", "value")', "(?, ?, ?, ?, ?, ?)")
UPDATE = f'UPDATE "prosody" SET "type"=?, "value"=? {WHERE} AND "key"=?'  # noqa: S608
DELETE = f'DELETE FROM "prosody" {WHERE} AND "key" IN (%s)'  # noqa: S608
COUNT = f'SELECT COUNT(*) FROM "prosody" {WHERE} AND "key"<>\'\''  # noqa: S608
MOST = 500  # keys in one statement
DELETE_ALL = f'DELETE FROM "prosody" {WHERE}'  # noqa: S608


def load(session: DatabaseSession, key: Key) -> Table | None:
    """The table, or None."""
    return from_rows((k, kind, value) for k, kind, value in session.texts(SELECT, COLUMNS, *key))


def store(session: DatabaseSession, key: Key, table: Table | None) -> None:
    """Replace the table (canonical, or None); unchanged rows are not written again, so a change of a long roster is cheap."""
    if not table:
        session.run(DELETE_ALL, *key)
        return
    _replace(session, key, session.texts(SELECT, COLUMNS, *key), to_rows(table))


def load_members(session: DatabaseSession, key: Key, members: Collection[str]) -> Table | None:
    """The members with these keys, and what shares the row with the empty key."""
    return from_rows((k, kind, value) for k, kind, value in _rows(session, key, members))


def update_members(session: DatabaseSession, key: Key, members: Collection[str], change: MemberChange) -> None:
    """Change these members; other rows are neither read nor written."""
    old, ours = _rows(session, key, members), {"", *members}
    table = canonical_table(change(from_rows((k, kind, value) for k, kind, value in old), lambda: int(session.rows(COUNT, *key)[0][0])))
    new = to_rows(table) if table else {}
    _replace(session, key, old, {k: value for k, value in new.items() if k in ours})


def _rows(session: DatabaseSession, key: Key, members: Collection[str]) -> list[Row]:
    wanted = ["", *(m for m in members if is_member(m))]
    found: list[Row] = []
    for i in range(0, len(wanted), MOST):
        some = wanted[i : i + MOST]
        found += session.texts(f"{SELECT} AND \"key\" IN ({', '.join('?' * len(some))})", COLUMNS, *key, *some)
    return found


def _replace(session: DatabaseSession, key: Key, old: Sequence[Row], new: Mapping[str, TypedValue]) -> None:
    """Write the rows of a table, or some of them, instead of those that were read."""
    times = Counter(row[0] for row in old)
    # the index is not unique: rows of a duplicate key are removed, and one is written
    single = {k: (kind, value) for k, kind, value in old if k in new and times[k] == 1}
    kept = {k for k, typed in single.items() if new[k] == typed}
    if len(changed := single.keys() - kept) == 1:
        session.run(UPDATE, *new[k := changed.pop()], *key, k)
        kept.add(k)
    gone = list(times.keys() - kept)  # several that changed are written again, by two statements for all of them
    for i in range(0, len(gone), MOST):
        some = gone[i : i + MOST]
        session.run(DELETE % ", ".join("?" * len(some)), *key, *some)
    session.insert(*INSERT, [(*key, k, *typed) for k, typed in new.items() if k not in kept])
