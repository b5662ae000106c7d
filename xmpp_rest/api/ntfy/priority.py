"""Priorities of ntfy, 1 to 5."""

from __future__ import annotations

from xmpp_rest.api.ntfy.errors import NtfyError

PRIORITIES = {"min": 1, "low": 2, "default": 3, "high": 4, "max": 5, "urgent": 5} | {str(number): number for number in range(1, 6)}


def read_priority(text: str) -> int | None:
    """The priority; None for none. Raises NtfyError, 40007."""
    if not (word := text.strip().lower()):
        return None
    if word not in PRIORITIES:
        raise NtfyError(40007)
    return PRIORITIES[word]
