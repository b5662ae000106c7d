"""Conversion of tables to rows of `prosody`, and back.

One row per member with a non-empty string key, typed `string`, `number`, `boolean`, `json` or `xml`; everything else (array part, other
keys, the empty key) shares one row with the empty key.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from drivers import Table
from drivers.jsontext import json_text
from drivers.members import is_member
from drivers.names import check_text
from drivers.sql.typed import UNREADABLE, TypedValue, typed, untyped
from drivers.values import entries_of, from_entries

log = logging.getLogger("xmpp_rest.storage")


def to_rows(table: Table) -> dict[str, TypedValue]:
    """Rows by key, for a canonical table. Raises BadValue."""
    rows, rest = {}, []
    for key, value in entries_of(table):
        if is_member(key):
            check_text("a key", key)
            rows[key] = typed(value)
        else:
            rest.append((key, value))
    if rest:
        rows[""] = ("json", json_text(from_entries(rest)))
    return rows


def from_rows(rows: Iterable[tuple[str, str, str]]) -> Table | None:
    """The table of rows of key, type and value, without unreadable ones; None if there are no others."""
    entries: list[tuple[Any, Any]] = []
    for key, kind, text in rows:
        value = untyped(kind, text)
        if value is UNREADABLE:
            log.debug("a row of the type %s with the key %r cannot be read, and counts as absent", kind, key)
        elif key:
            entries.append((key, value))
        elif isinstance(value, (dict, list)):
            entries += entries_of(value)
    if not entries:
        return None
    table: Table = from_entries(entries)
    return table
