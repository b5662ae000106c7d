"""Duplicate members in `prosody`, which Prosody 0.12 could leave, as its index is not unique."""

from __future__ import annotations

from collections.abc import Iterator

from drivers.sql.session import Row

SELECT = (
    'SELECT "host", "user", "store", "key", COUNT(*) FROM "prosody" '
    'GROUP BY "host", "user", "store", "key" HAVING COUNT(*) > 1 ORDER BY 1, 2, 3, 4 LIMIT 11'
)
SHOWN = 10


def sentences(rows: list[Row], row_id: str) -> Iterator[str]:
    """The sentences about the rows of SELECT; `row_id`: the database's name for the position of a row, larger for later ones."""
    for host, user, store, key, count in rows[:SHOWN]:
        owner = f"{user}@{host}" if user else host
        yield f"{owner}: {store}: the member {key!r} is in {count} rows, so Prosody 13 cannot change any table in this database"
    if len(rows) > SHOWN:
        yield "more members are in several rows"
    if rows:
        kept = f'SELECT MAX({row_id}) FROM "prosody" GROUP BY "host", "user", "store", "key"'  # noqa: S608
        yield f'duplicate rows can be removed by: DELETE FROM "prosody" WHERE {row_id} NOT IN ({kept})'  # noqa: S608
