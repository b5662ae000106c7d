"""How does the flat part of a stanza's JSON object travel as a form? (`application/x-www-form-urlencoded`)"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isfinite
from typing import Any
from urllib.parse import quote, unquote

from xmpp_rest.protocol.jsonmap import MappingError
from xmpp_rest.protocol.jsonmap.content import ObjectContent
from xmpp_rest.protocol.jsonmap.fields import TABLES
from xmpp_rest.protocol.jsonmap.lines import Flag, One
from xmpp_rest.protocol.jsonmap.plan import Line
from xmpp_rest.protocol.jsonmap.scalars import write_number
from xmpp_rest.protocol.percent import lower_hex

_TRUE = ("true", "1", "")  # what a form may say for true; form_encode says the last


def _flags(lines: Iterable[Line]) -> Iterator[str]:
    for line in lines:
        if isinstance(line, Flag):
            yield line.name
        elif isinstance(line, One) and isinstance(line.content, ObjectContent) and isinstance(line.content.lines, tuple):
            yield from (inner.name for inner in line.content.lines if isinstance(inner, Flag))


FLAGS = frozenset(name for lines in TABLES.values() for name in _flags(lines)) | {"join"}
"""Fields whose only value is true, of a stanza or of the query that a path names (`register?remove=true`)."""


def _text(quoted: str) -> str:
    try:
        return unquote(quoted.replace("+", " "), errors="strict")
    except UnicodeDecodeError as e:
        raise MappingError(f"the form is not UTF-8: {e.reason} in {quoted[:40]!r}; percent-encode UTF-8") from e


def form_decode(text: str) -> dict[str, Any]:
    """The object for a form: a string for each name, the last where it is repeated; true for a flag that is set. Raises MappingError.

    Parts without `=` are left out. Whether a body without any is a text is for the caller to say (rest-api §3).
    """
    pairs = (part.partition("=") for part in text.split("&"))
    fields = {_text(name): _text(value) for name, equals, value in pairs if equals}
    return {name: True if name in FLAGS and value in _TRUE else value for name, value in fields.items()}


def _quoted(text: str) -> str:
    return lower_hex(quote(text, safe=" ", errors="replace")).replace(" ", "+")


def _flat(value: Any) -> str | None:
    if value is True:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return write_number(value) if isfinite(value) else None
    return str(value) if isinstance(value, int) and value is not False else None


def form_encode(obj: dict[str, Any]) -> str:
    """The form for an object: its strings, its numbers as decimals, true as an empty value; all else is left out (rest-api §11)."""
    flat = ((name, _flat(value)) for name, value in obj.items())
    return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in flat if value is not None)
