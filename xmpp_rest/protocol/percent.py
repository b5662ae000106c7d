"""Percent escapes in lower case, as mod_rest writes them in forms and URLs."""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")


def lower_hex(text: str) -> str:
    """The text with the hexadecimal digits of its percent escapes in lower case (COMPAT mod_rest; RFC 3986 §2.1 prefers upper case)."""
    return _ESCAPE.sub(lambda escape: escape[0].lower(), text)
