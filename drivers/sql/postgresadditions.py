"""Items for many archives in a few statements, however many archives these are."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from functools import partial
from typing import NamedTuple

from drivers import Addition, ArchiveItem
from drivers.archives import checked_item
from drivers.batches import result_of
from drivers.names import Key, checked_key
from drivers.sql import archive
from drivers.sql.session import DatabaseSession, Row

VALUES = 'UNNEST(?::text[], ?::text[], ?::text[]) AS k("host", "user", "store")'
# in one order for all writers, so that no two wait for each other
LOCK = (
    'SELECT l."host", l."user", l."store" FROM "xmpprest_lock" AS l JOIN ' + VALUES + ' USING ("host", "user", "store") '  # noqa: S608
    "ORDER BY 1, 2, 3 FOR UPDATE OF l"
)
NEW_LOCKS = (
    f'INSERT INTO "xmpprest_lock" ("host", "user", "store") SELECT k.* FROM {VALUES} ORDER BY 1, 2, 3 '  # noqa: S608
    'ON CONFLICT DO NOTHING RETURNING "host", "user", "store"'
)
TAKEN = (
    'SELECT a."sort_id" FROM "prosodyarchive" AS a JOIN UNNEST(?::text[], ?::text[], ?::text[], ?::text[]) '
    'AS k("host", "user", "store", "key") USING ("host", "user", "store", "key")'
)
# the time has its row only where it is not a whole second
INSERT = (
    'WITH "items" AS (SELECT * FROM UNNEST(?::text[], ?::text[], ?::text[], ?::text[], ?::bigint[], ?::text[], ?::text[], '
    '?::double precision[]) WITH ORDINALITY AS i("host", "user", "store", "key", "when", "with", "value", "at", "n")), '
    '"kept" AS (INSERT INTO "prosodyarchive" ("host", "user", "store", "key", "when", "with", "type", "value") '
    'SELECT "host", "user", "store", "key", "when", "with", \'xml\', "value" FROM "items" ORDER BY "n" '
    'RETURNING "sort_id", "host", "user", "store", "key", "when") '
    'INSERT INTO "xmpprest_time" ("sort_id", "at") SELECT "kept"."sort_id", "items"."at" FROM "kept" '
    'JOIN "items" USING ("host", "user", "store", "key") WHERE "items"."at"<>"kept"."when"'
)


class CheckedAddition(NamedTuple):
    """An addition that can be kept."""

    key: Key
    items: Sequence[ArchiveItem]
    new: bool


def _checked(addition: Addition) -> CheckedAddition:
    key = checked_key(addition.user, addition.host, addition.store)
    return CheckedAddition(key, [checked_item(item) for item in addition.items], addition.new)


class Extension:
    """Items to add to archives, in a transaction that may be run again."""

    def __init__(self, additions: Sequence[Addition]) -> None:
        """`errors`: that of each addition that cannot be kept; the others are written."""
        found = [result_of(partial(_checked, addition)) for addition in additions]
        self.errors = [each if isinstance(each, Exception) else None for each in found]
        self._additions = [each for each in found if not isinstance(each, Exception)]
        self._again = False

    @property
    def hosts(self) -> set[str]:
        return {addition.key.host for addition in self._additions}

    def write(self, session: DatabaseSession) -> None:
        """Add the items. Once more, nothing is taken for new: a commit that was in doubt may have been made."""
        again, self._again = self._again, True
        extend(session, [each._replace(new=False) for each in self._additions] if again else self._additions)


def lock(session: DatabaseSession, keys: Collection[Key]) -> None:
    """Keep other writers of these stores out, until the end of the transaction."""
    left = set(keys)
    while left:  # more than once only if a row was made, and removed by a purge, between the two statements
        left -= {Key(*row) for row in session.rows(LOCK, *_columns(sorted(left)))}
        if left:
            left -= {Key(*row) for row in session.rows(NEW_LOCKS, *_columns(sorted(left)))}


def extend(session: DatabaseSession, additions: Sequence[CheckedAddition]) -> None:
    """Add the items in their order; those with the same ids are replaced. In a transaction."""
    items: dict[tuple[Key, str], ArchiveItem] = {}
    old = []
    for addition in additions:
        for item in addition.items:
            place = (addition.key, item.id)
            items.pop(place, None)
            items[place] = item
            if not addition.new:
                old.append((*addition.key, item.id))
    if not items:
        return
    lock(session, {key for key, _ in items})
    if old and (taken := session.rows(TAKEN, *_columns(old))):
        archive.delete(session, [sort_id for (sort_id,) in taken])
    rows = [(*key, item.id, math.floor(item.when), item.with_, item.stanza, item.when) for (key, _), item in items.items()]
    session.run(INSERT, *_columns(rows))


def _columns(rows: Sequence[Row]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]
