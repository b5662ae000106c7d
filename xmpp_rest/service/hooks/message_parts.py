"""What a format has found in a payload: the names that templates use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.hooks.payload import Payload


@dataclass(frozen=True, slots=True)
class HookRequest:
    """What a reader of a format gets: the hook, the request, and how many alerts one message names at most."""

    hook: Hook
    payload: Payload
    alerts: int


@dataclass(frozen=True, slots=True)
class MessageParts:
    """The parts of a message, by the names of templates, and the matter that it is about (see Said)."""

    title: str = ""
    text: str = ""
    url: str = ""
    state: str = ""
    key: str = ""
    ends: bool = False
    alerts: tuple[Mapping[str, Any], ...] = ()
    """Alerts that are named, firing ones first."""
    hidden: int = 0
    """How many alerts are not named."""
    version: str = ""
    """The state of the matter in full, where `state` does not tell it."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Further names for the format's own template."""
    files: tuple[str, ...] = ()
    """Names of files inside the payload, which are not sent."""
    ping: bool = False


def string(value: Any, *path: str) -> str:
    """The string below these members, "" for anything else."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def first_string(value: Mapping[str, Any], *names: str) -> str:
    """The first of these members that is a string with something in it."""
    return next((found for name in names if isinstance(found := value.get(name), str) and found.strip()), "")


def table(value: Any, *path: str) -> dict[str, Any]:
    """The object below these members, {} for anything else."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def items(value: Any, limit: int = 200) -> list[Any]:
    """The first items of an array, [] for anything else."""
    return value[:limit] if isinstance(value, list) else []


def number(value: Any) -> int | None:
    """A whole number; None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63 else None


def scalar(value: Any) -> str:
    """A string or a number as text, "" for anything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    whole = number(value)
    return f"{value:g}" if isinstance(value, float) else "" if whole is None else str(whole)
