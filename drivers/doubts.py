"""Content that another program does not see, or that breaks it, with the sentences about it.

Prosody 13 reads the roles of accounts from the store `account_roles`, and Prosody 0.12 from `roles`. The latter could leave duplicate
members, as its index is not unique.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

OLD, NEW = "roles", "account_roles"
ROLES = (
    'SELECT DISTINCT "host", "user" FROM "prosody" AS "o" '  # noqa: S608
    f"WHERE \"store\" = '{OLD}' AND \"host\" IN (SELECT \"host\" FROM \"prosody\" WHERE \"store\" = '{NEW}') "
    'AND NOT EXISTS (SELECT 1 FROM "prosody" AS "n" '
    f'WHERE "n"."host" = "o"."host" AND "n"."user" = "o"."user" AND "n"."store" = \'{NEW}\') '
    "ORDER BY 1, 2"
)
TWINS = (
    'SELECT "host", "user", "store", "key", COUNT(*) FROM "prosody" '
    'GROUP BY "host", "user", "store", "key" HAVING COUNT(*) > 1 ORDER BY 1, 2, 3, 4 LIMIT 11'
)
SHOWN = 10


def unseen_roles(hosts: Iterable[str], users: Callable[[str, str], Iterator[str]]) -> Iterator[tuple[str, str]]:
    """Host and user of accounts with unseen roles, on hosts that have both stores; `users` returns those of a host and a store."""
    for host in hosts:
        if seen := frozenset(users(host, NEW)):
            yield from ((host, user) for user in sorted(set(users(host, OLD)) - seen))


def about_roles(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The sentences about these accounts."""
    for host, user in rows:
        why = f"has {OLD} and no {NEW}, as others here: a Prosody 13 does not see them, the gateway and a Prosody 0.12 go by them"
        yield f"{user}@{host}: {why}; give the account a role in Prosody 13, or remove the store {OLD}"


def about_twins(rows: list[tuple[Any, ...]], row_id: str) -> Iterator[str]:
    """The sentences about the rows of TWINS; `row_id`: the database's name for the position of a row, larger for later ones."""
    for host, user, store, key, count in rows[:SHOWN]:
        owner = f"{user}@{host}" if user else host
        yield f"{owner}: {store}: the member {key!r} is in {count} rows, so Prosody 13 cannot change any table in this database"
    if len(rows) > SHOWN:
        yield "more members are in several rows"
    if rows:
        kept = f'SELECT MAX({row_id}) FROM "prosody" GROUP BY "host", "user", "store", "key"'  # noqa: S608
        yield f'duplicate rows can be removed by: DELETE FROM "prosody" WHERE {row_id} NOT IN ({kept})'  # noqa: S608
