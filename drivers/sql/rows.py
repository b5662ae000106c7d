"""How does a table become rows of `prosody`, and back?

One row per member with a non-empty string key, typed `string`, `number`, `boolean`, `json` or `xml`; everything else (array part, other
keys, the empty key) shares one row with the empty key.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from drivers import StorageError, Table, Value
from drivers.jsontext import json_text
from drivers.names import check_text
from drivers.stanzas import stanza_table
from drivers.values import entries_of, from_entries

TypedValue = tuple[str, str]  # type, value


def to_rows(table: Table) -> dict[str, TypedValue]:
    """Rows by key, for a canonical table. Raises BadValue."""
    rows, rest = {}, []
    for key, value in entries_of(table):
        if isinstance(key, str) and key and "\0" not in key:
            check_text("a key", key)
            rows[key] = _typed(value)
        else:
            rest.append((key, value))
    if rest:
        rows[""] = ("json", json_text(from_entries(rest)))
    return rows


def from_rows(rows: Iterable[tuple[str, str, str]]) -> Table | None:
    """The table that rows of key, type and value make; None for no rows. Raises StorageError for a row that no server wrote."""
    entries: list[tuple[Any, Any]] = []
    for key, kind, text in rows:
        value = _untyped(key, kind, text)
        if key:
            entries.append((key, value))
        elif isinstance(value, (dict, list)):
            entries += entries_of(value)
    if not entries:
        return None
    table: Table = from_entries(entries)
    return table


def json_value(text: str, where: str) -> Value:
    """Read JSON. Raises StorageError for what is none; `where` says what was being read."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as e:
        raise StorageError(f"{where} is no JSON: {e}") from e


def _typed(value: Value) -> TypedValue:
    if isinstance(value, str) and "\0" not in value:  # PostgreSQL has no U+0000 in text; in JSON it is written with ASCII signs
        check_text("the value", value)
        return "string", value
    if isinstance(value, bool):
        return "boolean", "true" if value else "false"
    if isinstance(value, (int, float)):
        return "number", json_text(value)
    return "json", json_text(value)


def _untyped(key: str, kind: str, text: str) -> Value:
    if kind == "string":
        return text
    if kind in ("json", "number"):
        return json_value(text, f"the row with the key {key!r}")
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    if kind == "xml":
        return stanza_table(text)
    raise StorageError(f"the row with the key {key!r} has the unknown type {kind!r}, or no such value")
