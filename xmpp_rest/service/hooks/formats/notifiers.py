"""Gotify, Apprise and Uptime Kuma."""

from __future__ import annotations

from typing import Any

from xmpp_rest.service.hooks.characters import one_line
from xmpp_rest.service.hooks.formats.plain import files_in
from xmpp_rest.service.hooks.message_parts import HookRequest, MessageParts, first_string, items, number, scalar, string, table
from xmpp_rest.service.hooks.said import NothingToSay

URGENT = 8
"""Gotify's priority from which on a message is marked."""
URGENT_MARK = "❗"
TYPES = {"success": "✅", "warning": "⚠️", "failure": "❌"}
"""Apprise's types and their marks."""
ATTACHED = ("attach", "attachment")
"""Where clients of Apprise's API put files, beside `attachments`."""
STATES = ("down", "up", "pending", "maintenance")
"""Uptime Kuma's heartbeat.status as words."""
UP = 1
NO_URL = ("", "https://", "http://")
"""What stands for no URL in Uptime Kuma's form."""


def read_gotify(request: HookRequest) -> MessageParts:
    """Title, message, and where a click leads to."""
    value = _members(request.payload.value, "message")
    message = first_string(value, "message")
    if not message:
        raise NothingToSay("Field 'message' is required")
    urgent = (_whole(value.get("priority")) or 0) >= URGENT
    url = one_line(string(value, "extras", "client::notification", "click", "url"), 2000)
    return MessageParts(one_line(string(value, "title")), message, url, extra={"mark": URGENT_MARK if urgent else ""})


def read_apprise(request: HookRequest) -> MessageParts:
    """Title, body, and the mark of its type."""
    value = _members(request.payload.value, "body")
    body = first_string(value, "body", "message")
    if not body:
        raise NothingToSay("there is no body")
    kind = string(value, "type")
    files = files_in(value) + tuple(_name_of_file(each) for name in ATTACHED for each in _listed(value.get(name)))
    return MessageParts(one_line(string(value, "title")), body, state=kind, files=files, extra={"mark": TYPES.get(kind, "")})


def _name_of_file(value: Any) -> str:
    """The name of a file that is given by its URL, or as an object with its name or its URL."""
    if isinstance(value, dict):
        return string(value, "filename") or string(value, "name") or _name_of_file(string(value, "url"))
    return str(value).partition("?")[0].strip().rstrip("/").rpartition("/")[2] or "a file"


def _listed(value: Any) -> list[Any]:
    """One file, or several."""
    return [each for each in (items(value) if isinstance(value, list) else [value]) if each and isinstance(each, str | dict)]


def read_uptime_kuma(request: HookRequest) -> MessageParts:
    """What Uptime Kuma says itself, and the address that it watches."""
    value = table(request.payload.value)
    url, status = one_line(string(value, "monitor", "url"), 2000), _whole(table(value, "heartbeat").get("status"))
    return MessageParts(
        text=string(value, "msg"),
        url="" if url in NO_URL else url,
        state=STATES[status] if status is not None and 0 <= status < len(STATES) else "",
        key=scalar(table(value, "monitor").get("id")),
        ends=status == UP,
    )


def _members(value: Any, text: str) -> dict[str, Any]:
    """The members of an object or a form; a text is one member."""
    return {text: value} if isinstance(value, str) else table(value)


def _whole(value: Any) -> int | None:
    """A whole number, also where a form has it as digits."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 9 else number(value)
