"""Finds the pictures that payloads name (files §7). The text of the message names them as well, so that nothing is lost without them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from xmpp_rest.service.hooks.characters import one_line
from xmpp_rest.service.hooks.formats.ntfy import attachments
from xmpp_rest.service.hooks.message_parts import items, string, table

MOST = 4  # pictures of one payload
LONGEST = 2000  # characters of a URL


def pictures_in(format_name: str, value: Any) -> tuple[str, ...]:
    """The URLs of the pictures in a payload of this format, each once."""
    find = _FINDERS.get(format_name)
    found = () if find is None else (url.strip() for url in find(value))
    good = [url for url in found if url.startswith(("https://", "http://")) and len(url) <= LONGEST and url == one_line(url, LONGEST)]
    return tuple(dict.fromkeys(good))[:MOST]


def _slack(value: Any) -> Iterator[str]:
    yield from _in_blocks(table(value).get("blocks"))
    for each in items(table(value).get("attachments")):
        yield string(each, "image_url")
        yield from _in_blocks(table(each).get("blocks"))


def _in_blocks(blocks: Any) -> Iterator[str]:
    for block in items(blocks):
        if string(block, "type") == "image":
            yield string(block, "image_url")
        elif string(block, "accessory", "type") == "image":
            yield string(block, "accessory", "image_url")


def _alerts(value: Any) -> Iterator[str]:
    for alert in items(table(value).get("alerts")):
        yield string(alert, "imageURL")


_FINDERS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {"slack": _slack, "grafana": _alerts, "alertmanager": _alerts, "ntfy": attachments}
)
