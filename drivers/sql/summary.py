"""Summaries of archives: how many items there are, and how far out of order, so that neither is found out by reading all of them.

A row of ours for each long archive holds both for the items up to `upto`; a reader looks at the few that have come later. The row is
made, and goes forward, when somebody reads and many have come, so that an append costs nothing. A trigger of the database subtracts
what is removed, whichever program does it; others make the row again when items get another owner or time, or all go at once. The
newest items are left out, as one with a lower `sort_id` may still be committed after them: by a Prosody that shares a PostgreSQL database.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from typing import NamedTuple

from drivers import StorageError
from drivers.names import Key
from drivers.sql.session import DatabaseSession, Engine

log = logging.getLogger("xmpp_rest.storage")
OF_KEY = 'a."host"=? AND a."user"=? AND a."store"=?'
WHERE = 'WHERE "host"=? AND "user"=? AND "store"=?'
KEPT = 1000
"""Items at the end of an archive that are not in its summary."""
SLACK = 60
"""Seconds for which an item is not in it either."""
LATE = 3 * KEPT
"""Items beyond the summary that a reader still looks at."""
STEP = 20_000
"""Items in one transaction: others wait for 30 ms."""
STEPS = 10
"""Steps of one call, which takes 0.3 s: of an archive of a former version, with millions of items, the rest is done by later calls."""

LOAD = f'SELECT "upto", "items", "latest", "back" FROM "xmpprest_archive" {WHERE}'  # noqa: S608
COUNT = (
    'SELECT s."items", (SELECT COUNT(*) FROM "prosodyarchive" AS a WHERE a."host"=s."host" AND a."user"=s."user" AND a."store"=s."store" '
    'AND a."sort_id">s."upto") FROM "xmpprest_archive" AS s WHERE s."host"=? AND s."user"=? AND s."store"=?'
)
COUNT_ALL = f'SELECT COUNT(*) FROM "prosodyarchive" AS a WHERE {OF_KEY}'  # noqa: S608
BEHIND = f'SELECT 1 FROM "prosodyarchive" AS a WHERE {OF_KEY} AND a."sort_id">? ORDER BY a."sort_id" LIMIT 1 OFFSET {LATE}'  # noqa: S608
MAKE = (
    'INSERT INTO "xmpprest_archive" ("host", "user", "store", "upto", "items", "latest", "back") '
    "VALUES (?, ?, ?, 0, 0, -1099511627776, 0) ON CONFLICT DO NOTHING"
)
LOCK = f'UPDATE "xmpprest_archive" SET "items"="items" {WHERE}'  # noqa: S608
UPDATE = f'UPDATE "xmpprest_archive" SET "upto"=?, "items"=?, "latest"=?, "back"=? {WHERE}'  # noqa: S608
# the last item that may be in the summary, and the last one of a step
END = f'SELECT a."sort_id", a."when" FROM "prosodyarchive" AS a WHERE {OF_KEY} ORDER BY a."sort_id" DESC LIMIT 1 OFFSET {KEPT}'  # noqa: S608
NEXT = f'SELECT a."sort_id" FROM "prosodyarchive" AS a WHERE {OF_KEY} AND a."sort_id">? ORDER BY a."sort_id" LIMIT 1 OFFSET {STEP - 1}'  # noqa: S608
SCAN = (
    'SELECT COUNT(*), MAX(b."sort_id"), MAX(b."when"), MAX(CASE WHEN b."latest">? THEN b."latest" ELSE ? END - b."when") FROM '  # noqa: S608
    '(SELECT c."sort_id", c."when", MAX(c."when") OVER (ORDER BY c."sort_id") AS "latest" FROM (SELECT a."sort_id", a."when" '
    f'FROM "prosodyarchive" AS a WHERE {OF_KEY} AND a."sort_id">? AND a."sort_id"<=? ORDER BY a."sort_id" LIMIT {LATE}) AS c) AS b'
)


class Summary(NamedTuple):
    """The state of an archive up to the item `upto`."""

    upto: int = 0  # sort_id
    items: int = 0
    latest: int = -(2**40)  # the latest time, Unix time in seconds
    back: int = 0  # seconds; the most that an item was older than the latest one before it


def load(session: DatabaseSession, key: Key) -> Summary:
    """The summary; one of nothing if there is none."""
    rows = session.rows(LOAD, *key)
    return Summary(*rows[0]) if rows else Summary()


def continued(session: DatabaseSession, key: Key, summary: Summary, upto: int) -> Summary:
    """The summary continued to a later item.

    By some items at a time: PostgreSQL cannot estimate how many there are, and without a limit it reads the whole archive.
    """
    while True:
        count, last, latest, back = session.rows(SCAN, summary.latest, summary.latest, *key, summary.upto, upto)[0]
        if count:
            # in SQLite times may have fractions
            summary = Summary(last, summary.items + count, max(math.ceil(latest), summary.latest), max(math.ceil(back), summary.back))
        if count < LATE:
            return summary


def is_behind(session: DatabaseSession, key: Key, upto: int) -> bool:
    """Whether so much has come after this item that a reader should not look at it."""
    return bool(session.rows(BEHIND, *key, upto))


def count(engine: Engine, key: Key) -> int:
    """The number of items of an archive."""

    def work(session: DatabaseSession) -> Sequence[int]:
        rows = session.rows(COUNT, *key) if engine.has_summaries else []
        return rows[0] if rows else (0, session.rows(COUNT_ALL, *key)[0][0])

    known, others = engine.read(work)
    if others > LATE:
        advance(engine, key)
    return known + others


def advance(engine: Engine, key: Key) -> None:
    """Continue the summary of an archive, and keep it. Where nothing can be written now, readers read more."""
    try:
        for _ in range(STEPS):
            if not engine.has_summaries or not engine.write(key, lambda session: _step(session, key)):
                break
            time.sleep(engine.pause)
    except StorageError as e:
        log.debug("the summary of the archive %s stays as it is: %s", key, e)


def _step(session: DatabaseSession, key: Key) -> bool:
    """Continue a summary by some items; whether there are more."""
    ends = session.rows(END, *key)
    if not ends or ends[0][1] > time.time() - SLACK:
        return False
    session.run(MAKE, *key)
    # from here on the trigger of a removal waits, or has been seen
    session.run(LOCK, *key)
    summary = load(session, key)
    end, following = ends[0][0], session.rows(NEXT, *key, summary.upto)
    if end <= summary.upto:
        return False
    until = min(end, following[0][0]) if following else end
    session.run(UPDATE, *continued(session, key, summary, until)._replace(upto=until), *key)
    return bool(until < end)
