"""Slack's blocks as text (Block Kit)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from xmpp_rest.service.hooks.characters import one_line
from xmpp_rest.service.hooks.formats.slack_rich_text import rich_text
from xmpp_rest.service.hooks.message_parts import items, string, table
from xmpp_rest.service.hooks.slack_text import link, slack_text, unescaped

DIVIDER = "---"


def blocks_text(blocks: Any) -> str:
    """The text of blocks, each on lines of its own; those that nobody here knows have none."""
    lines = [found for each in items(blocks) if (found := _block(table(each)).strip("\n"))]
    while lines and lines[-1] == DIVIDER:
        lines.pop()
    while lines and lines[0] == DIVIDER:
        lines.pop(0)
    return "\n".join(lines)


def _block(block: dict[str, Any]) -> str:
    read = _BLOCKS.get(string(block, "type"))
    return read(block) if read else ""


def _text(value: Any) -> str:
    """The text of a text object, which knows markup or does not."""
    text = string(value, "text")
    return unescaped(text) if string(value, "type") == "plain_text" else slack_text(text)


def _header(block: dict[str, Any]) -> str:
    text = one_line(_text(block.get("text")))
    return f"*{text}*" if text else ""


def _section(block: dict[str, Any]) -> str:
    fields = (" ".join(_text(each).split("\n")) for each in items(block.get("fields")))
    lines = (_text(block.get("text")), *fields, _element(table(block, "accessory")))
    return "\n".join(line for line in lines if line.strip())


def _context(block: dict[str, Any]) -> str:
    found = (string(each, "alt_text") if string(each, "type") == "image" else _text(each) for each in items(block.get("elements")))
    return " ".join(text for text in found if text.strip())


def _actions(block: dict[str, Any]) -> str:
    return "\n".join(text for each in items(block.get("elements")) if (text := _element(table(each))))


def _element(element: dict[str, Any]) -> str:
    """A button that leads somewhere, an image; nothing for what wants somebody to choose."""
    if string(element, "type") == "image":
        return _image(element)
    label, url = one_line(_text(element.get("text"))), string(element, "url")
    return "" if not url else f"{label}: {url}" if label else url


def _image(block: dict[str, Any]) -> str:
    label = string(block, "alt_text") or _text(block.get("title"))
    url = string(block, "image_url") or string(block, "slack_file", "url")
    return link(url, one_line(label)) if url else label


_BLOCKS: Mapping[str, Callable[[dict[str, Any]], str]] = MappingProxyType(
    {
        "header": _header,
        "section": _section,
        "context": _context,
        "markdown": lambda block: string(block, "text"),
        "rich_text": lambda block: rich_text(block.get("elements")),
        "divider": lambda block: DIVIDER,
        "actions": _actions,
        "image": _image,
    }
)
