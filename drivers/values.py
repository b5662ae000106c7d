"""The canonical form of stored values, the same for all drivers.

The rules are those of Lua tables, the poorest of the formats (Prosody's data API has the same ones):

* an empty list and an empty table are equal, and are returned as `{}`;
* a whole float is an integer (`1.0` → `1`), an integer past 64 bits is a float;
* `None` inside a table is an empty table; only a member of the outermost table may stay None, if the format can express it;
* `__array` and `__hash` are unpacked, and used only for what plain JSON cannot express.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from drivers.batches import Table, Value
from drivers.errors import BadValue

MAX_DEPTH = 127
"""Nested tables; beyond this Prosody's serialiser fails."""
INT64 = range(-(2**63), 2**63)
WHOLE = 1e18
"""From this number on the serialiser writes whole floats with an exponent, and they stay floats."""

# Lua 5.4's tonumber: no infinities by name, no underscores
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_HEXADECIMAL = re.compile(r"[+-]?0x([\da-f]+\.?[\da-f]*|\.[\da-f]+)(p[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_SPACE = " \t\n\v\f\r"

Entries = dict[tuple[type, Any], tuple[Any, Any]]
"""Entries of a table by key; the type is part of the key because in Python `True == 1`, but not in Lua."""


def canonical_table(data: Table | None) -> Table | None:
    """The canonical form of a keyval table; None for an empty one. Raises BadValue."""
    if data is None:
        return None
    if not isinstance(data, (dict, list)):
        raise BadValue(f"a store keeps a table, not {type(data).__name__}; put the value into one, or append it to a list")
    nulls = [key for key, value in data.items() if value is None] if isinstance(data, dict) else []
    table: Table = _table(data, 1)
    if isinstance(table, dict):
        table.update(dict.fromkeys((key for key in nulls if key in table), None))
    return table or None


def canonical(value: Value, depth: int = 0) -> Value:
    """The canonical form of a value inside a list or table. Raises BadValue."""
    if isinstance(value, (str, bool)):
        return value
    if isinstance(value, (int, float)):
        return number(value)
    if value is None:
        return {}
    if isinstance(value, (dict, list, tuple)):
        return _table(value, depth + 1)
    raise BadValue(f"{type(value).__name__} cannot be stored; JSON's values can: text, numbers, true, false, null, arrays and objects")


def number(value: int | float) -> int | float:
    """The canonical number: whole floats become integers, integers beyond 64 bits floats. Raises BadValue beyond floats."""
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < WHOLE else value
    if value in INT64:
        return value
    try:
        return float(value)
    except OverflowError as e:
        raise BadValue("a number is too large; numbers end at 1.7e308") from e


def lua_number(text: str) -> int | float | None:
    """The number that Lua's `tonumber` reads; None if the text is not a number."""
    text = text.strip(_SPACE)
    if _DECIMAL.fullmatch(text):
        return lua_integer(text) if text.lstrip("+-").isdigit() else number(float(text))
    if not (match := _HEXADECIMAL.fullmatch(text)):
        return None
    if match[2] is None and "." not in text:
        return (int(text, 16) + 2**63) % 2**64 - 2**63  # hexadecimal integers wrap around (Lua 5.4 manual §3.1)
    try:
        return number(float.fromhex(text))
    except OverflowError:
        return -math.inf if text.startswith("-") else math.inf


def lua_integer(text: str) -> int | float:
    """The integer of decimal digits, perhaps with a sign; beyond 64 bits a float. A million digits are not converted."""
    return int(text) if len(text) < 19 or (len(text) < 25 and int(text) in INT64) else number(float(text))


def _table(value: dict[str, Any] | list[Any] | tuple[Any, ...], depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise BadValue(f"nested too deep; tables may be nested {MAX_DEPTH} deep")
    if not isinstance(value, dict):
        return [canonical(item, depth) for item in value] or {}
    if "__array" in value or "__hash" in value:
        return _mixed(value, depth)
    for key in value:
        if not isinstance(key, str):
            raise BadValue(f"the key {key!r} is not text; entries with other keys belong into the member __hash")
    return {str(key): canonical(item, depth) for key, item in value.items()}


def _mixed(value: dict[str, Any], depth: int) -> Any:
    array, flat = value.get("__array", []), value.get("__hash", [])
    # an empty array is read as an empty table
    if not isinstance(array, (list, tuple)) and array != {}:
        raise BadValue("the member __array must be an array: the values at 1, 2, 3 …")
    if (not isinstance(flat, (list, tuple)) and flat != {}) or len(flat) % 2:
        raise BadValue("the member __hash must be an array of key, value, key, value …")
    pairs: list[tuple[Any, Any]] = [(key, item) for key, item in value.items() if key not in ("__array", "__hash")]
    pairs += enumerate(array, 1)
    pairs += [(flat[i], flat[i + 1]) for i in range(0, len(flat), 2)]
    return from_entries((key, canonical(item, depth)) for key, item in pairs)


def from_entries(pairs: Iterable[tuple[Any, Any]]) -> Any:
    """The table of these entries in the JSON model; a later entry replaces an earlier one with the same key."""
    entries: Entries = {}
    for raw, item in pairs:
        key = _key(raw)
        entries[type(key), key] = (key, item)
    array: list[Any] = []
    while (int, len(array) + 1) in entries:
        array.append(entries.pop((int, len(array) + 1))[1])
    strings = {key: item for (kind, key), (_, item) in entries.items() if kind is str}
    flat = [part for (kind, _), pair in entries.items() if kind is not str for part in pair]
    if not strings and not flat:
        return array or {}
    return strings | ({"__array": array} if array else {}) | ({"__hash": flat} if flat else {})


def _key(key: Any) -> Any:
    if isinstance(key, float):
        key = number(key)
    if key is None or isinstance(key, (dict, list, tuple)) or key != key:
        raise BadValue("keys in __hash are text, numbers, true or false")
    return key


def entries_of(table: Table) -> Iterable[tuple[Any, Any]]:
    """The entries of a table with their real keys: 1…n for an array, and those in `__array` and `__hash`.

    A table of another program may have members of these two names in another form: they are members like others.
    """
    if isinstance(table, list):
        yield from enumerate(table, 1)
        return
    array, flat = table.get("__array"), table.get("__hash")
    special = set()
    if isinstance(array, list):
        special.add("__array")
        yield from enumerate(array, 1)
    if isinstance(flat, list) and _is_flat(flat):
        special.add("__hash")
        yield from zip(flat[::2], flat[1::2], strict=True)
    yield from ((key, item) for key, item in table.items() if key not in special)


def _is_flat(item: list[Any]) -> bool:
    """Whether this is key, value, key, value …"""
    return len(item) % 2 == 0 and all(isinstance(key, (str, int, float)) for key in item[::2])
