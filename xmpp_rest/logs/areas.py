"""The areas of the log. Each line belongs to one: `xmpp_rest.AREA` is the name of its logger."""

from __future__ import annotations

import re
from difflib import get_close_matches

AREAS = (
    "access", "auth", "audit", "callbacks", "commands", "config", "files", "hooks", "link", "rooms", "server", "sessions", "storage",
    "streams",
)  # fmt: skip
PREFIX = "xmpp_rest."
SERVER = "xmpp_rest.server"
"""The logger of whatever says something without an area, such as gunicorn."""
LEVELS = ("debug", "info", "warning", "error")

_PAIR = re.compile(r"\s*([^\s=]+)\s*=\s*([^\s=]+)\s*")


def parse_levels(value: str) -> tuple[tuple[str, str], ...]:
    """The areas and levels of `AREA=LEVEL, …`. Raises ValueError with what would be right."""
    levels: dict[str, str] = {}
    for entry in filter(str.strip, value.split(",")):
        match = _PAIR.fullmatch(entry)
        if match is None:
            raise ValueError("write AREA=LEVEL, separated by commas, such as link=debug, access=warning")
        area, level = match[1].lower(), match[2].lower()
        _require(area, AREAS, f"{match[1]!r} is not an area of the log")
        _require(level, LEVELS, f"{match[2]!r} is not a level")
        if area in levels:
            raise ValueError(f"{area} is there twice")
        levels[area] = level
    return tuple(levels.items())


def _require(word: str, known: tuple[str, ...], sentence: str) -> None:
    if word not in known:
        near = get_close_matches(word, known, 1)
        raise ValueError(f"{sentence}; did you mean {near[0]}?" if near else f"{sentence}; write one of {', '.join(known)}")


def logger_name(name: str) -> str:
    """How a line of the logger of this name is marked."""
    return name if name.startswith(PREFIX) else SERVER
