"""Notes about the storage itself, in a table of ours, which Prosody never reads."""

from __future__ import annotations

import json
from collections.abc import Callable

from drivers import Table
from drivers.jsontext import json_text
from drivers.sql.session import DatabaseSession

SELECT = 'SELECT "value" FROM "xmpprest_note" WHERE "name"=?'
DELETE = 'DELETE FROM "xmpprest_note" WHERE "name"=?'
INSERT = ('INSERT INTO "xmpprest_note" ("name", "value")', "(?, ?)")


def load(session: DatabaseSession, name: str) -> Table | None:
    """The note, or None."""
    rows = session.rows(SELECT, name)
    table: Table | None = json.loads(rows[0][0]) if rows else None
    return table


def update(session: DatabaseSession, name: str, change: Callable[[Table | None], Table | None]) -> Table | None:
    """Change the note."""
    table = change(load(session, name))
    session.run(DELETE, name)
    session.insert(*INSERT, [(name, json_text(table))])
    return table
