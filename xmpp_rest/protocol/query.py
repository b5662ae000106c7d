"""Queries in paths, such as `disco` in `GET /rest/disco/example.com?node=x`, as JSON objects of iqs (rest-api §4, §5)."""

from __future__ import annotations

from typing import Any

from xmpp_rest.protocol.jsonmap.fields import TABLES
from xmpp_rest.protocol.jsonmap.lines import ChildLine

QUERIES = frozenset(line.name for line in TABLES["iq"] if isinstance(line, ChildLine))
"""The fields of an iq that become a child element."""

_SETS = ("archive", "command")


def query_iq(query: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The JSON object of the iq for `query`, without addresses; `arguments` become the value of that field.

    `ping` has no arguments. An unknown name makes an iq without a child, which is refused later (`iq_tags`).
    """
    iq: dict[str, Any] = {"kind": "iq", "type": "set" if query in _SETS else "get"}
    if query in QUERIES:
        iq[query] = True if query == "ping" else dict(arguments)
    return iq
