"""A writer of values as Lua text in Prosody's form.

Byte for byte as its serialiser does, but for the order of string keys, which is arbitrary there, and the order of insertion here.
"""

from __future__ import annotations

import math
import re
from typing import Any

from drivers import BadValue, Value
from drivers.values import MAX_DEPTH, entries_of

_NAMED = dict(zip("\a\b\f\n\r\t\v\\\"'", ["\\a", "\\b", "\\f", "\\n", "\\r", "\\t", "\\v", "\\\\", '\\"', "\\'"], strict=True))
_ESCAPES = {code: _NAMED.get(chr(code), f"\\{code:03d}") for code in (*range(32), *b"\"'\\", *range(127, 256))}
_NEEDS_NONE = re.compile(r"[ -~]*").fullmatch


def serialise(value: Value) -> str:
    """ASCII text of the value, without `return` and without a semicolon. None is written as an empty table.

    Raises BadValue for more than 127 nested tables, and for text that is not Unicode.
    """
    parts: list[str] = []
    _write(value, 1, parts)
    return "".join(parts)


def _write(value: Value, depth: int, parts: list[str]) -> None:
    if isinstance(value, (dict, list)) and value:
        _table(value, depth, parts)
    else:
        parts.append(_scalar(value))


def _table(table: dict[str, Any] | list[Any], depth: int, parts: list[str]) -> None:
    if depth > MAX_DEPTH:
        raise BadValue(f"nested too deep; tables may be nested {MAX_DEPTH} deep")
    indent = "\t" * depth
    parts.append("{\n")
    following = 1
    for key, value in entries_of(table):
        parts.append(indent)
        if key is not True and key == following:
            following += 1
        else:
            parts.append(f"[{_scalar(key)}] = ")
        _write(value, depth + 1, parts)
        parts.append(";\n")
    parts.append(indent[:-1] + "}")


def _scalar(value: Value) -> str:
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _float(value)
    return "{}"


def _float(value: float) -> str:
    if math.isnan(value):
        return "(0/0)"
    if math.isinf(value):
        return "(1/0)" if value > 0 else "(-1/0)"
    return f"{value:.18g}"


def _string(text: str) -> str:
    if _NEEDS_NONE(text) and not any(sign in text for sign in "\"'\\"):
        return f'"{text}"'
    try:
        coded = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as e:
        raise BadValue(f"text contains a lone surrogate at character {e.start}, which is not Unicode text") from e
    return f'"{coded.decode("latin-1").translate(_ESCAPES)}"'
