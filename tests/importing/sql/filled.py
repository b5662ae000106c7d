"""Databases that tests make: an SQLite file with the tables and rows that are given."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from xmpp_rest.importing import records as r
from xmpp_rest.importing.databases import OPENERS
from xmpp_rest.importing.domains import Domains
from xmpp_rest.importing.sources import SourceRequest

Rows = Sequence[Mapping[str, Any]]


def fill(path: Path, tables: Mapping[str, Rows], schema: str = "") -> None:
    """Make the file. A table has the columns of its first row, unless the `schema` makes it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(schema)
        connection.execute("BEGIN")
        there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table, rows in tables.items():
            if rows and table not in there:
                columns = ", ".join(f'"{name}"' for name in rows[0])
                connection.execute(f'CREATE TABLE "{table}" ({columns})')
            for row in rows:
                names, signs = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
                connection.execute(f'INSERT INTO "{table}" ({names}) VALUES ({signs})', list(row.values()))
        connection.execute("COMMIT")


def read(source: str, domains: Mapping[str, str]) -> tuple[dict[str, list[Any]], list[r.Entity]]:
    """What a source has: the parts of each account and room by address, and everything else."""
    prefix, _, place = source.partition(":")
    found: dict[str, list[Any]] = {}
    others: list[r.Entity] = []
    for entity in OPENERS[prefix](SourceRequest(place, Path("/"), Domains(domains))).entities:
        if isinstance(entity, r.Account | r.ConferenceRoom | r.LightRoom):
            found[f"{entity.localpart}@{entity.host}"] = list(entity.parts)
        else:
            others.append(entity)
    return found, others


def of_kind(parts: Sequence[Any], *kinds: type) -> Iterator[Any]:
    """Those parts that are of one of these types."""
    return (part for part in parts if isinstance(part, kinds))
