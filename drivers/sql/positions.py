"""Positions in long lists: which item is at every 500th one, so that a part is found as fast at the end as at the beginning.

The rows are made when somebody first reads that far. A list is only appended to, or replaced as a whole, by rows with new ids: so a
position is right while its item is there, whichever version of the gateway writes.
"""

from __future__ import annotations

import logging
import time
from typing import NamedTuple

from drivers import StorageError
from drivers.names import Key
from drivers.sql.session import DatabaseSession, Engine

log = logging.getLogger("xmpp_rest.storage")
EACH = 500
"""Items from one known position to the next."""
STEP = 100 * EACH
"""Items in one transaction: others wait for 20 ms."""
WHERE = 'WHERE "host"=? AND "user"=? AND "store"=?'
NEAREST = f'SELECT "position", "id" FROM "xmpprest_position" {WHERE} AND "position"<=? ORDER BY "position" DESC LIMIT 1'  # noqa: S608
IS_THERE = f'SELECT 1 FROM "xmpprest_list" {WHERE} AND "id"=?'  # noqa: S608
NUMBERED = (
    'SELECT n."at", n."id" FROM (SELECT l."id", ROW_NUMBER() OVER (ORDER BY l."id") AS "at" FROM '  # noqa: S608
    f'(SELECT "id" FROM "xmpprest_list" {WHERE} AND "id">? ORDER BY "id" LIMIT {STEP}) AS l) AS n WHERE n."at" % {EACH} = 0 ORDER BY 1'
)
INSERT = ('INSERT INTO "xmpprest_position" ("host", "user", "store", "position", "id")', "(?, ?, ?, ?, ?)")
FORGET = f'DELETE FROM "xmpprest_position" {WHERE}'  # noqa: S608


class Position(NamedTuple):
    """The position of an item, from 0."""

    position: int = -1
    id: int = 0


BEGINNING = Position()
"""Before the first item."""


def nearest(session: DatabaseSession, key: Key, position: int) -> Position:
    """The last known position that is not beyond this one; BEGINNING if none is known."""
    rows = session.rows(NEAREST, *key, position) if position >= EACH else []
    if rows and session.rows(IS_THERE, *key, rows[0][1]):
        return Position(*rows[0])
    return BEGINNING


def forget(session: DatabaseSession, key: Key) -> None:
    """Forget the positions of a list that is replaced or removed."""
    session.run(FORGET, *key)


def learn(engine: Engine, key: Key, position: int) -> None:
    """Have the positions up to this one known. Where nothing can be written now, readers read more."""
    try:
        while engine.write(key, lambda session: _step(session, key, position)):
            time.sleep(engine.pause)
    except StorageError as e:
        log.debug("the positions in the list %s are not known: %s", key, e)


def _step(session: DatabaseSession, key: Key, position: int) -> bool:
    """Make the positions of some items; whether there are more to make."""
    last = nearest(session, key, position)
    if last is BEGINNING:
        forget(session, key)
    if position - last.position < EACH:
        return False
    found = session.rows(NUMBERED, *key, last.id)
    session.insert(*INSERT, [(*key, last.position + at, id_) for at, id_ in found])
    return len(found) == STEP // EACH
