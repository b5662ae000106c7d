"""Form encoding of the flat part of a stanza's JSON object (`application/x-www-form-urlencoded`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isfinite
from typing import Any
from urllib.parse import quote, unquote

from xmpp_rest.protocol.jsonmap import MappingError
from xmpp_rest.protocol.jsonmap.content import ObjectContent
from xmpp_rest.protocol.jsonmap.fields import TABLES
from xmpp_rest.protocol.jsonmap.lines import Flag, One
from xmpp_rest.protocol.jsonmap.plan import MappingLine
from xmpp_rest.protocol.jsonmap.scalars import write_number
from xmpp_rest.protocol.percent import lower_hex

_TRUE = ("true", "1", "")  # accepted for true in a form; form_encode writes the last


def _flags(lines: Iterable[MappingLine]) -> Iterator[str]:
    for line in lines:
        if isinstance(line, Flag):
            yield line.name
        elif isinstance(line, One) and isinstance(line.content, ObjectContent) and isinstance(line.content.lines, tuple):
            yield from (inner.name for inner in line.content.lines if isinstance(inner, Flag))


FLAGS = frozenset(name for lines in TABLES.values() for name in _flags(lines)) | {"join"}
"""Fields whose only value is true, of a stanza or of a query in the path (`register?remove=true`)."""


def _unquote(quoted: str) -> str:
    try:
        return unquote(quoted.replace("+", " "), errors="strict")
    except UnicodeDecodeError as e:
        raise MappingError(f"the form is not UTF-8: {e.reason} in {quoted[:40]!r}; percent-encode UTF-8") from e


def form_decode(text: str) -> dict[str, Any]:
    """The object for a form: a string for each name, the last if it is repeated; true for a flag that is set. Raises MappingError.

    Parts without `=` are left out. The caller decides whether a body without any `=` is a text (rest-api §3).
    """
    pairs = (part.partition("=") for part in text.split("&"))
    fields = {_unquote(name): _unquote(value) for name, equals, value in pairs if equals}
    return {name: True if name in FLAGS and value in _TRUE else value for name, value in fields.items()}


def _quote(text: str) -> str:
    return lower_hex(quote(text, safe=" ", errors="replace")).replace(" ", "+")


def _flat_value(value: Any) -> str | None:
    if value is True:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return write_number(value) if isfinite(value) else None
    return str(value) if isinstance(value, int) and value is not False else None


def form_encode(obj: dict[str, Any]) -> str:
    """The form for an object: its strings, its numbers as decimals, true as an empty value; other values are left out (rest-api §11)."""
    flat = ((name, _flat_value(value)) for name, value in obj.items())
    return "&".join(f"{_quote(name)}={_quote(value)}" for name, value in flat if value is not None)
