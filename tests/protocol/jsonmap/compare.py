"""Comparison of stanzas, objects and forms; an order without meaning is ignored."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.parse import parse_text

DATA_FORM = "{jabber:x:data}x"
CONTAINER = "{urn:xmpp:json-msg:0}payload"


def _is_map(form: Element) -> bool:
    """Whether the form was made from a map, whose order is free."""
    return form.tag == DATA_FORM and "type" not in form.attrib and all("type" not in field.attrib for field in form)


def _content(element: Element) -> Any:
    if not len(element):
        return repr(json.loads(element.text or "")) if element.tag == CONTAINER else element.text or ""
    pieces = [(element.text or "").strip()]
    for child in element:
        pieces += [xml(child), (child.tail or "").strip()]
    if any(isinstance(p, str) and p for p in pieces):
        return pieces  # mixed content: the whole order counts
    by_name: dict[str, list[Any]] = {}
    for child in element:
        by_name.setdefault(child.tag, []).append(xml(child))
    if _is_map(element):
        by_name = {tag: sorted(children, key=repr) for tag, children in by_name.items()}
    return by_name


def xml(element: Element) -> Any:
    """The element as a value that compares as its meaning does."""
    return element.tag, dict(element.attrib), _content(element)


def obj(value: dict[str, Any]) -> dict[str, Any]:
    """The object as a value that compares as its meaning does."""
    return {**value, "html": xml(parse_text(value["html"]))} if "html" in value else value


def form(text: str) -> set[tuple[str, str]]:
    """The form as its pairs."""
    pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))
    assert len(pairs) == len(dict(pairs))
    return set(pairs)
