"""Accounts with roles that a Prosody 13 does not see: it reads the store `account_roles`, and Prosody 0.12 the store `roles`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

OLD, NEW = "roles", "account_roles"
SELECT = (
    'SELECT DISTINCT "host", "user" FROM "prosody" AS "o" '  # noqa: S608
    f"WHERE \"store\" = '{OLD}' AND \"host\" IN (SELECT \"host\" FROM \"prosody\" WHERE \"store\" = '{NEW}') "
    'AND NOT EXISTS (SELECT 1 FROM "prosody" AS "n" '
    f'WHERE "n"."host" = "o"."host" AND "n"."user" = "o"."user" AND "n"."store" = \'{NEW}\') '
    "ORDER BY 1, 2"
)


def unseen(hosts: Iterable[str], users: Callable[[str, str], Iterator[str]]) -> Iterator[tuple[str, str]]:
    """Host and user of these accounts, on hosts that have both stores; `users` returns those of a host and a store."""
    for host in hosts:
        if seen := frozenset(users(host, NEW)):
            yield from ((host, user) for user in sorted(set(users(host, OLD)) - seen))


def sentences(rows: Iterable[tuple[str, str]]) -> Iterator[str]:
    """The sentences about these accounts."""
    for host, user in rows:
        why = f"has {OLD} and no {NEW}, as others here: a Prosody 13 does not see them, the gateway and a Prosody 0.12 go by them"
        yield f"{user}@{host}: {why}; give the account a role in Prosody 13, or remove the store {OLD}"
