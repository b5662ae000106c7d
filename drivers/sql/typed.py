"""Values in the columns `type` and `value` of `prosody`, and back.

Like Prosody, a member whose row cannot be read is dropped, and the others are kept.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from drivers import StorageError, Value
from drivers.jsontext import json_text
from drivers.names import check_text
from drivers.stanzas import stanza_table
from drivers.values import INT64, MAX_DEPTH, canonical, number

TypedValue = tuple[str, str]  # type, value
UNREADABLE: Any = object()
"""The mark for columns in which Prosody would find no value."""
# Lua 5.4's tonumber: no infinities by name, no underscores
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_HEXADECIMAL = re.compile(r"[+-]?0x([\da-f]+\.?[\da-f]*|\.[\da-f]+)(p[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_SPACE = " \t\n\v\f\r"
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def typed(value: Value) -> TypedValue:
    """The columns of a canonical value. Raises BadValue for text that is not Unicode."""
    if isinstance(value, str) and "\0" not in value:  # PostgreSQL has no U+0000 in text; in JSON it is written with ASCII signs
        check_text("the value", value)
        return "string", value
    if isinstance(value, bool):
        return "boolean", "true" if value else "false"
    if isinstance(value, (int, float)) and value == value:
        return "number", json_text(value)
    return "json", json_text(value)


def untyped(kind: str, text: str) -> Value:
    """The value of the columns; UNREADABLE if they have none."""
    if kind == "string":
        return text
    if kind == "number":
        found = lua_number(text)
        return UNREADABLE if found is None else found
    if kind == "boolean":
        return {"true": True, "false": False}.get(text, UNREADABLE)
    try:
        if kind == "json":
            return json_value(text)
        return stanza_table(text) if kind == "xml" else UNREADABLE
    except (ValueError, StorageError):
        return UNREADABLE


def json_value(text: str) -> Value:
    """Read JSON as a value of the storage contract. Raises ValueError."""
    try:
        value = _DECODER.decode(text)
        if _SURROGATE.search(text):  # a lone surrogate is not text; whole pairs have been joined
            value = _DECODER.decode(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode())
        return canonical(value) if text.count("[") + text.count("{") > MAX_DEPTH else value
    except RecursionError as e:
        raise ValueError("nested too deep") from e


def lua_number(text: str) -> int | float | None:
    """The number that Lua's `tonumber` reads; None if the text is not a number."""
    text = text.strip(_SPACE)
    if _DECIMAL.fullmatch(text):
        return _integer(text) if text.lstrip("+-").isdigit() else number(float(text))
    if not (match := _HEXADECIMAL.fullmatch(text)):
        return None
    if match[2] is None and "." not in text:
        return (int(text, 16) + 2**63) % 2**64 - 2**63  # hexadecimal integers wrap around (Lua 5.4 manual §3.1)
    try:
        return number(float.fromhex(text))
    except OverflowError:
        return -math.inf if text.startswith("-") else math.inf


def _integer(text: str) -> int | float:
    # beyond 64 bits a float; a million digits are not converted
    return int(text) if len(text) < 19 or (len(text) < 25 and int(text) in INT64) else number(float(text))


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=lambda text: number(float(text)), parse_constant=_refuse)
