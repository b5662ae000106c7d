"""What is published through ntfy's API (hooks §13.2)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from xmpp_rest.service.hooks.characters import one_line
from xmpp_rest.service.hooks.message_parts import HookRequest, MessageParts, first_string, items, number, string, table
from xmpp_rest.service.hooks.said import NothingToSay

EMOJIS: Mapping[str, str] = MappingProxyType(
    {
        "+1": "👍", "-1": "👎", "warning": "⚠️", "rotating_light": "🚨", "skull": "💀",
        "fire": "🔥", "x": "❌", "white_check_mark": "✅", "heavy_check_mark": "✔️", "tada": "🎉",
        "no_entry": "⛔", "no_entry_sign": "🚫", "loudspeaker": "📢", "computer": "💻", "red_circle": "🔴",
        "green_circle": "🟢", "yellow_circle": "🟡", "orange_circle": "🟠", "large_blue_circle": "🔵", "test_tube": "🧪",
        "bell": "🔔", "hourglass": "⌛", "rocket": "🚀", "floppy_disk": "💾", "email": "📧",
        "cd": "💿", "lock": "🔒", "key": "🔑", "wrench": "🔧", "bug": "🐛",
        "package": "📦", "battery": "🔋", "thermometer": "🌡️", "bar_chart": "📊", "chart_with_upwards_trend": "📈",
        "zap": "⚡", "stop_sign": "🛑", "construction": "🚧", "question": "❓", "exclamation": "❗",
        "partying_face": "🥳", "facepalm": "🤦", "triangular_flag_on_post": "🚩", "eyes": "👀", "information_source": "ℹ️",
    }
)  # fmt: skip
"""Tags that ntfy shows as emojis."""
MARKS = {5: "‼️", 4: "❗"}
"""Priorities and what stands in front because of them."""
PRIORITIES = {"min": 1, "low": 2, "default": 3, "high": 4, "max": 5, "urgent": 5}
MOST_ACTIONS = 3
MOST_TAGS = 50


def read_ntfy(request: HookRequest) -> MessageParts:
    """Title, message, tags, links."""
    value = request.payload.value
    if isinstance(value, str):
        value = {"message": value}
    message = first_string(table(value), "message")
    if not message:
        raise NothingToSay("there is no message")
    return MessageParts(
        title=one_line(string(value, "title")),
        text=message,
        url=one_line(string(value, "click"), 2000),
        extra={
            "mark": mark(table(value).get("priority"), tags_of(value)),
            "tags": [tag for tag in tags_of(value) if tag not in EMOJIS],
            "links": [*attachments(value), *action_links(table(value).get("actions"))],
        },
    )


def tags_of(value: Any) -> list[str]:
    """The tags of a message: an array, or parted by commas."""
    tags = table(value).get("tags")
    found = tags[:10_000].split(",") if isinstance(tags, str) else [tag for tag in items(tags) if isinstance(tag, str)]
    return [tag for tag in (one_line(each, 100) for each in found[:MOST_TAGS]) if tag]


def mark(priority: Any, tags: list[str]) -> str:
    """What stands in front of a message: that of its priority, and the emojis of its tags."""
    if isinstance(priority, str):
        priority = int(priority) if priority in ("1", "2", "3", "4", "5") else PRIORITIES.get(priority.lower())
    return " ".join(filter(None, (MARKS.get(number(priority) or 0), *(EMOJIS.get(tag) for tag in tags))))


def attachments(value: Any) -> list[str]:
    """Where what is attached can be found."""
    return [url for url in (one_line(string(value, *path), 2000) for path in (("attach",), ("attachment", "url"))) if url]


def action_links(actions: Any) -> list[str]:
    """Actions that a link can stand for: `view`, and `http` with GET."""
    return [line for each in items(actions, MOST_ACTIONS) if (line := _action(table(each)))]


def _action(action: dict[str, Any]) -> str:
    url, label = one_line(string(action, "url"), 2000), one_line(string(action, "label"))
    kind = string(action, "action").lower()
    shown = kind == "view" or (kind == "http" and string(action, "method").upper() == "GET")
    return (f"{label}: {url}" if label else url) if shown and url else ""
