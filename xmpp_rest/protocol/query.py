"""Which object is a query that a path names, such as `disco` in `GET /rest/disco/example.com?node=x`? (rest-api §4, §5)"""

from __future__ import annotations

from typing import Any

from xmpp_rest.protocol.jsonmap.fields import TABLES
from xmpp_rest.protocol.jsonmap.lines import ChildLine

QUERIES = frozenset(line.name for line in TABLES["iq"] if isinstance(line, ChildLine))
"""The fields of the iq mapping that make a child element."""

_SETS = ("archive", "command")


def query_iq(query: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The JSON object of the iq that asks `query`, without addresses; `arguments` become the value of that field.

    `ping` takes none. A name that the mapping does not know makes an iq without child, which is refused later (`iq_tags`).
    """
    iq: dict[str, Any] = {"kind": "iq", "type": "set" if query in _SETS else "get"}
    if query in QUERIES:
        iq[query] = True if query == "ping" else dict(arguments)
    return iq
