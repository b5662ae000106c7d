"""Messages as ntfy's answers and streams show them: one line of JSON each (hooks §13.2)."""

from __future__ import annotations

import posixpath
import secrets
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from xmpp_rest.protocol.strict_json import write_json
from xmpp_rest.service.hooks.published import ALPHABET, LENGTH, PublishedMessage

TRIGGERED = "triggered"  # what a message without a text says


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(text, str) for text in value)


def _is_priority(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 5


def _are_actions(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(action, dict) for action in value)


SHOWN: Mapping[str, Callable[[Any], bool]] = {
    "title": _is_text,
    "message": _is_text,
    "priority": _is_priority,
    "tags": _are_texts,
    "click": _is_text,
    "icon": _is_text,
    "actions": _are_actions,
}
"""Members that are shown as they came, in this order, where they are what they should be: hooks take what looks different too."""


def shown(message: PublishedMessage, topic: str, cache: float) -> dict[str, Any]:
    """A message of a topic, which can be read again for so many seconds."""
    when, members = int(message.when), message.members
    head = {"id": message.id, "time": when, "expires": when + int(cache), "event": "message", "topic": topic}
    return {
        **head,
        **{name: members[name] for name, fits in SHOWN.items() if fits(members.get(name))},
        **({"attachment": _attachment(members)} if _is_text(members.get("attach")) else {}),
        **({"content_type": "text/markdown"} if members.get("markdown") is True else {}),
    }


def notice(event: str, topic: str, now: float) -> dict[str, Any]:
    """What a stream says of itself: `open` or `keepalive`."""
    identifier = "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))
    return {"id": identifier, "time": int(now), "event": event, "topic": topic}


def line(value: Mapping[str, Any]) -> bytes:
    """The value as one line of JSON."""
    return write_json(value) + b"\n"


def _attachment(members: Mapping[str, Any]) -> dict[str, str]:
    url = members["attach"]
    name = members.get("filename")
    return {"name": name if _is_text(name) else _name_in(url), "url": url}


def _name_in(url: str) -> str:
    """The name of the file in a URL."""
    try:
        path = urlsplit(url).path
    except ValueError:  # brackets that are not an address
        path = ""
    return unquote(posixpath.basename(path.rstrip("/"))) or "attachment"
