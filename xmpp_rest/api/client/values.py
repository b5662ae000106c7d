"""Values of the client API, read and written: addresses, texts, integers, times (client-api §1.4, §1.5, §1.9)."""

from __future__ import annotations

import re
from typing import Any

from xmpp_rest.api.client.refusal import Refusal
from xmpp_rest.protocol.jid import JID, InvalidJID, parse_jid
from xmpp_rest.protocol.jsonmap.scalars import forbidden

_INTEGER = re.compile(r"-?[0-9]+", re.ASCII)
LARGEST = 10**15
"""Larger integers of a query count as this one: far beyond every limit, and every time in milliseconds."""


def address(value: Any, text: str, **old: Any) -> JID:
    """The address that a string spells, prepared. Raises Refusal: 400 with `text`; `old` is what generation 3 answers instead."""
    try:
        return parse_jid(value if isinstance(value, str) else "")
    except InvalidJID as e:
        raise Refusal(400, text, **old) from e


def string(value: Any, text: str, **old: Any) -> str:
    """A string that XML can hold. Raises Refusal: 400 with `text`."""
    if not isinstance(value, str) or forbidden(value):
        raise Refusal(400, text, **old)
    return value


def integer(value: str, text: str, detail: str) -> int:
    """An integer of the query, no farther from 0 than LARGEST. Raises Refusal: 400 with `text`, and `detail` for what would be right."""
    if not _INTEGER.fullmatch(value):
        raise Refusal(400, text, detail=detail)
    digits = value.lstrip("-0")
    size = min(int(digits or "0"), LARGEST) if len(digits) < 20 else LARGEST
    return -size if value[0] == "-" else size


def microseconds(when: float) -> int:
    """Unix time in seconds as a whole number of microseconds."""
    return round(when * 1_000_000)


def milliseconds(when: float) -> int:
    """Unix time in seconds as a whole number of milliseconds, cut off."""
    return microseconds(when) // 1000
