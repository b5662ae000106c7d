"""Values in the columns `type` and `value` of `prosody`, and back.

Like Prosody, a member whose row cannot be read is dropped, and the others are kept.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from drivers import StorageError, Value
from drivers.jsontext import json_text
from drivers.names import check_text
from drivers.stanzas import stanza_table
from drivers.values import MAX_DEPTH, canonical, lua_integer, lua_number, number

TypedValue = tuple[str, str]  # type, value
UNREADABLE: Any = object()
"""The mark for columns in which Prosody would find no value."""
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


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


_DECODER = json.JSONDecoder(parse_int=lua_integer, parse_float=lambda text: number(float(text)), parse_constant=_refuse)
