"""The JSON mapping: converts stanzas to JSON objects and back, as mod_rest does (docs/json-mapping.md)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.element import MAX_DEPTH
from xmpp_rest.protocol.jsonmap.deliverable import why_empty
from xmpp_rest.protocol.jsonmap.errors import read_error, write_error, write_older_error
from xmpp_rest.protocol.jsonmap.exceptions import BadAddress, MappingError, Unmappable
from xmpp_rest.protocol.jsonmap.fields import TABLES
from xmpp_rest.protocol.jsonmap.kinds import kind_and_type
from xmpp_rest.protocol.jsonmap.older import REWRITE
from xmpp_rest.protocol.jsonmap.plan import MappingPlan

__all__ = ["MAX_ELEMENTS", "BadAddress", "MappingError", "Unmappable", "decode", "decode_many", "encode", "why_empty"]

MAX_ELEMENTS = 10_000  # in one stanza: an array of short items may grow thirtyfold when it becomes XML

_PLANS = {kind: MappingPlan(lines) for kind, lines in TABLES.items()}


def decode(stanza: Element) -> dict[str, Any]:
    """The JSON object for a message, presence or iq. Raises Unmappable."""
    kind = stanza.tag
    if kind not in _PLANS:
        raise Unmappable(f"the element {kind[:100]!r} is not a message, presence or iq")
    if stanza.get("type") == "error":
        return read_error(stanza)
    obj = _PLANS[kind].read(stanza, {"kind": kind})
    if kind == "presence":
        obj.setdefault("type", "available")
    return obj


def decode_many(stanzas: Iterable[Element]) -> dict[str, Any]:
    """The JSON object for several stanzas in order, as in the answer to an archive query: `{"xmpp": [...]}`. Raises Unmappable."""
    return {"xmpp": [decode(stanza) for stanza in stanzas]}


def encode(obj: Any) -> Element:
    """The stanza for a JSON object, which is not changed. Raises MappingError, and BadAddress for `to` and `from`."""
    if not isinstance(obj, dict) or not obj:
        raise MappingError('give a JSON object with at least one field, such as {"to": "juliet@capulet.example", "body": "Hi"}')
    try:
        stanza = _encode(obj)
    except RecursionError as e:
        raise MappingError("the object is too deep; forward fewer messages inside each other") from e
    _check_bounds(stanza)
    return stanza


def _encode(obj: dict[str, Any]) -> Element:
    kind, type_ = kind_and_type(obj)
    stanza = Element(kind)
    if isinstance(obj.get("error"), dict):
        write_error(stanza, obj)
        return stanza
    if kind in REWRITE:
        obj = REWRITE[kind](obj, type_)
    _PLANS[kind].write(stanza, obj)
    if type_ is None:
        stanza.attrib.pop("type", None)
    else:
        stanza.set("type", type_)
    if type_ == "error":
        write_older_error(stanza, obj)
    return stanza


def _check_bounds(stanza: Element) -> None:
    """Raise MappingError for a stanza that a parser would refuse (MAX_DEPTH), or that is far larger than the object."""
    level, count = list(stanza), 1
    for _ in range(MAX_DEPTH):
        if not level:
            return
        if (count := count + len(level)) > MAX_ELEMENTS:
            raise MappingError(f"the object makes more than {MAX_ELEMENTS} elements; split it")
        level = [child for element in level for child in element]
    raise MappingError(f"the object makes more than {MAX_DEPTH} elements inside each other; forward fewer messages inside each other")
