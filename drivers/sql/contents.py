"""Hosts, users and stores with content, and removal of all content of a user."""

from __future__ import annotations

from collections.abc import Iterator

from drivers import Sort
from drivers.names import Key
from drivers.sql.session import DatabaseSession, Engine

TABLES: dict[str, Sort] = {"prosody": "keyval", "xmpprest_list": "list", "prosodyarchive": "archive"}
BATCH = 1000
# each SELECT walks an index from the last name on, and stops after one batch
USERS = 'SELECT "user" FROM (SELECT DISTINCT "user" FROM "{}" WHERE "host"=? AND "user">?{} ORDER BY "user" LIMIT {}) AS t'
DELETE_TIMES = 'DELETE FROM "xmpprest_time" WHERE "sort_id" IN (SELECT "sort_id" FROM "prosodyarchive" WHERE "host"=? AND "user"=?)'


def users(engine: Engine, host: str, store: str | None) -> Iterator[str]:
    """Localparts with content, one batch of names in memory at a time."""
    condition = "" if store is None else ' AND "store"=?'
    parameters = [] if store is None else [store]
    selects = " UNION ".join(USERS.format(table, condition, BATCH) for table in TABLES)
    last = ""  # the host's own content has the empty user and is none

    def batch(session: DatabaseSession) -> list[str]:
        rows = session.rows(f"{selects} ORDER BY 1 LIMIT {BATCH}", *[host, last, *parameters] * len(TABLES))
        return [user for (user,) in rows]

    while names := engine.read(batch):
        yield from names
        last = names[-1]


def stores(session: DatabaseSession, host: str, user: str) -> list[tuple[str, Sort]]:
    """Stores with content, each with its kind."""
    found: list[tuple[str, Sort]] = []
    for table, sort in TABLES.items():
        select = f'SELECT MIN("store") FROM "{table}" WHERE "host"=? AND "user"=? AND "store">?'  # noqa: S608
        found += [(store, sort) for store in _steps(session, select, host, user)]
    return found


def hosts(session: DatabaseSession) -> list[str]:
    """Hosts with content, "" for content without a host."""
    found: set[str] = set()
    for table in TABLES:
        if session.rows(f'SELECT 1 FROM "{table}" WHERE "host"=\'\' LIMIT 1'):  # noqa: S608
            found.add("")
        found.update(_steps(session, f'SELECT MIN("host") FROM "{table}" WHERE "host">?'))  # noqa: S608
    return list(found)


def _steps(session: DatabaseSession, sql: str, *parameters: str) -> Iterator[str]:
    """The distinct values of the last column of an index: one step in the index per value, however many rows each has."""
    name = ""
    while (name := session.rows(sql, *parameters, name)[0][0]) is not None:
        yield name


def purge(session: DatabaseSession, key: Key) -> None:
    """Remove everything of a user."""
    session.run(DELETE_TIMES, key.host, key.user)
    for table in TABLES:
        session.run(f'DELETE FROM "{table}" WHERE "host"=? AND "user"=?', key.host, key.user)  # noqa: S608
