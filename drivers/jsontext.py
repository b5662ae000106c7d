"""Values as JSON text: UTF-8; an infinity as `1e999`, which is JSON and which Lua and Python read as infinity; 0/0 as null."""

from __future__ import annotations

import json
import math

from drivers import Value
from drivers.names import check_text

SPECIAL = {math.inf: "1e999", -math.inf: "-1e999"}


def json_text(value: Value, indent: int | None = None) -> str:
    """JSON, compact without `indent`. Raises BadValue for text that is not Unicode."""
    separators = (",", ":") if indent is None else None
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)
    except ValueError:
        text = _spelt(value)
    if not text.isascii():
        check_text("the value", text)
    return text


def _spelt(value: Value) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{_spelt(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_spelt, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return SPECIAL.get(value, "null")
    return json.dumps(value, ensure_ascii=False)
