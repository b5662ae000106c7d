"""Hosts, users and stores with content, and removal of all content of a user."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial
from heapq import merge
from itertools import groupby

from drivers import Sort
from drivers.names import Key
from drivers.sql import schema
from drivers.sql.session import DatabaseSession, Engine

TABLES: dict[str, Sort] = {"prosody": "keyval", "xmpprest_list": "list", "prosodyarchive": "archive"}
BATCH = 1000
NUMBERED = ("muc", "used")  # store and member whose numbers have an index
# each step looks up the next name, so that it does not matter how many rows a user has
NAMES = (
    'SELECT "user" FROM (WITH RECURSIVE u("user") AS ('
    'SELECT (SELECT t."user" FROM "{table}" AS t WHERE {where} AND t.{user}>? ORDER BY t.{user} LIMIT 1) UNION ALL '
    'SELECT (SELECT t."user" FROM "{table}" AS t WHERE {where} AND t.{user}>u."user" ORDER BY t.{user} LIMIT 1) '
    'FROM u WHERE u."user" IS NOT NULL) SELECT "user" FROM u WHERE "user" IS NOT NULL LIMIT {limit}) AS "{table}"'
)
OWNERS = (
    f'SELECT DISTINCT "user" FROM (SELECT "user" FROM "prosody" WHERE "host"=? AND "store"=? AND {schema.LISTED} '  # noqa: S608
    f"AND {schema.USER}>? ORDER BY {schema.USER} LIMIT {4 * BATCH}) AS t"
)
DELETE_TIMES = 'DELETE FROM "xmpprest_time" WHERE "sort_id" IN (SELECT "sort_id" FROM "prosodyarchive" WHERE "host"=? AND "user"=?)'


def users(engine: Engine, host: str, store: str | None) -> Iterator[str]:
    """Localparts with content, one batch of names in memory at a time."""
    if store is not None and store != schema.UNLISTED:
        found = merge(_owners(engine, host, store), _pages(engine, ("xmpprest_list", "prosodyarchive"), host, store))
        return (name for name, _ in groupby(found))
    return _pages(engine, TABLES, host, store)


def _owners(engine: Engine, host: str, store: str) -> Iterator[str]:
    """Localparts with a table in this store, which has few rows for each: so many rows are read at a time."""
    last = ""  # the host's own content has the empty user and is none
    while names := sorted(name for (name,) in engine.read(lambda session: session.rows(OWNERS, host, store, last))):  # noqa: B023  # at once
        yield from names
        last = names[-1]


def _pages(engine: Engine, tables: Collection[str], host: str, store: str | None) -> Iterator[str]:
    last = ""
    while names := engine.read(partial(page, host=host, store=store, after=last, limit=BATCH, tables=tables)):
        yield from names
        last = names[-1]


def page(
    session: DatabaseSession, *, host: str, store: str | None, after: str, limit: int, tables: Collection[str] = TABLES.keys()
) -> list[str]:
    """The first localparts after one: in the order of code points with a store, in the database's own order without."""
    user = '"user"' if store is None else schema.USER
    selects, parameters = [], list[str]()
    for table in tables:
        where, place = 't."host"=?', [host]
        if store is not None:
            where, place = f'{where} AND t."store"=?', [host, store]
        if store is not None and table == "prosody" and store != schema.UNLISTED:
            where = f"{where} AND t.{schema.LISTED}"  # said so that the index is used
        selects.append(NAMES.format(table=table, where=where, user=user, limit=limit))
        parameters += [*place, after, *place]
    rows = session.rows(f'SELECT "user" FROM ({" UNION ".join(selects)}) AS n ORDER BY {user} LIMIT {limit}', *parameters)  # noqa: S608
    return [name for (name,) in rows]


def users_below(session: DatabaseSession, host: str, most: float) -> list[str]:
    """Localparts whose number in NUMBERED is `most` or less."""
    rows = session.rows(f'SELECT "user" FROM "prosody" WHERE "host"=? AND {schema.USED} AND {schema.NUMBER}<=?', host, most)  # noqa: S608
    return list({name: None for (name,) in rows if name})


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
    for table in (*TABLES, "xmpprest_archive", "xmpprest_position"):
        session.run(f'DELETE FROM "{table}" WHERE "host"=? AND "user"=?', key.host, key.user)  # noqa: S608
