"""Readers of the settings of hooks. Each raises ValueError with the sentence that tells what would be right."""

from __future__ import annotations

import re
from collections.abc import Callable

from xmpp_rest.config.readers import jid, number, split_list
from xmpp_rest.protocol.jid import JID, parse_jid

FORMATS = (
    "text", "json", "form", "slack", "alertmanager", "grafana", "github", "gitea", "forgejo", "gitlab", "gotify", "apprise", "uptime-kuma",
    "ntfy",
)  # fmt: skip
"""How the request of a hook may be read."""
TOKEN = re.compile(r"hk_[0-9A-Za-z]{27}")
"""The token of a hook."""
ROOM = "room:"
"""In front of a target: it is a room."""
MAX_TARGETS = 20
MAX_TEMPLATE = 8192  # characters


def token(value: str) -> str:
    """The token of a hook."""
    if not TOKEN.fullmatch(value):
        raise ValueError("must be hk_ and 27 letters and digits, as `xmpp-rest hook token` prints it")
    return value


def target(value: str) -> str:
    """One target as it is kept: a bare address, prepared, with `room:` in front if that was said."""
    mark = ROOM if value.startswith(ROOM) else ""
    address = parse_jid(value.removeprefix(ROOM))
    if mark and (address.resource or not address.local):
        raise ValueError(f"{value[:100]!r} is not the address of a room, such as room:name@conference.example.org")
    return f"{mark}{address}"


def targets(value: str) -> tuple[str, ...]:
    """One to MAX_TARGETS targets, separated by commas."""
    found = tuple(dict.fromkeys(target(each) for each in split_list(value)))
    if not 1 <= len(found) <= MAX_TARGETS:
        raise ValueError(f"must be 1 to {MAX_TARGETS} addresses, separated by commas")
    return found


def optional_jid(value: str) -> JID | None:
    """A bare address, or nothing."""
    return jid(value) if value else None


def optional_number(low: int, high: int) -> Callable[[str], int | None]:
    """A whole number, or nothing."""
    read = number(low, high)
    return lambda value: read(value) if value else None


def template(value: str) -> str:
    """Jinja source, or @NAME."""
    if len(value) > MAX_TEMPLATE:
        raise ValueError(f"must have at most {MAX_TEMPLATE} characters")
    return value
