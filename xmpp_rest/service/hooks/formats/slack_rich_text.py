"""Slack's rich text: blocks of type rich_text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from xmpp_rest.service.hooks.message_parts import items, number, string, table
from xmpp_rest.service.hooks.slack_text import link

STYLES = (("code", "`"), ("strike", "~"), ("italic", "_"), ("bold", "*"))
"""Styles and their marks (XEP-0393), from the inside out."""
EMOJI = re.compile(r"[0-9a-fA-F]{2,6}(-[0-9a-fA-F]{2,6}){0,9}")
INDENT = 8


def rich_text(elements: Any) -> str:
    """Paragraphs, lists, quotations and blocks of code."""
    found = (_PARTS[kind](table(each)) for each in items(elements) if (kind := string(each, "type")) in _PARTS)
    return "\n".join(text for text in (part.strip("\n") for part in found) if text)


def _line(part: dict[str, Any]) -> str:
    return "".join(_inline(table(each)) for each in items(part.get("elements")))


def _list(part: dict[str, Any]) -> str:
    indent = "  " * min(max(number(part.get("indent")) or 0, 0), INDENT)
    first = (number(part.get("offset")) or 0) + 1
    ordered = string(part, "style") == "ordered"
    lines = (_line(table(each)).replace("\n", f"\n{indent}  ") for each in items(part.get("elements")))
    return "\n".join(f"{indent}{f'{n}.' if ordered else '•'} {line}" for n, line in enumerate(lines, first))


def _quote(part: dict[str, Any]) -> str:
    return "\n".join(f"> {line}" for line in _line(part).split("\n"))


def _code(part: dict[str, Any]) -> str:
    return f"```\n{_line(part)}\n```"


_PARTS: Mapping[str, Callable[[dict[str, Any]], str]] = MappingProxyType(
    {"rich_text_section": _line, "rich_text_list": _list, "rich_text_quote": _quote, "rich_text_preformatted": _code}
)


def _inline(element: dict[str, Any]) -> str:
    read = _INLINE.get(string(element, "type"))
    return read(element) if read else ""


def _styled(element: dict[str, Any]) -> str:
    """A text with its styles; white space stands outside of the marks, as it would keep them from counting."""
    text = string(element, "text")
    inner = text.strip()
    if not inner or "\n" in inner:
        return text
    shown = inner
    for style, mark in STYLES:
        if table(element, "style").get(style) is True:
            shown = f"{mark}{shown}{mark}"
    return text.replace(inner, shown, 1)


def _emoji(element: dict[str, Any]) -> str:
    code = string(element, "unicode")
    if EMOJI.fullmatch(code):
        points = [int(part, 16) for part in code.split("-")]
        if all(point < 0x110000 for point in points):
            return "".join(map(chr, points))
    name = string(element, "name")
    return f":{name}:" if name else ""


_INLINE: Mapping[str, Callable[[dict[str, Any]], str]] = MappingProxyType(
    {
        "text": _styled,
        "link": lambda element: link(string(element, "url"), string(element, "text")),
        "emoji": _emoji,
        "user": lambda element: "@" + string(element, "user_id"),
        "usergroup": lambda element: "@" + string(element, "usergroup_id"),
        "channel": lambda element: "#" + string(element, "channel_id"),
        "broadcast": lambda element: "@" + string(element, "range"),
        "date": lambda element: string(element, "fallback"),
        "color": lambda element: string(element, "value"),
    }
)
