"""Paths below `/rest/`: the kind, type and recipient in a path, or a query, and their effect on the body (rest-api §1, §4, §5)."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from xmpp_rest.protocol.jsonmap.fields import TABLES
from xmpp_rest.protocol.jsonmap.lines import ChildLine
from xmpp_rest.protocol.stanza import KINDS

_PATH = re.compile(r"([mpi][A-Za-z0-9]+)/([A-Za-z0-9_-]+)/(.*)", re.DOTALL)
_TEXT_FIELD = {"message": "body", "presence": "show"}
QUERIES = frozenset(line.name for line in TABLES["iq"] if isinstance(line, ChildLine))
"""The fields of an iq that become a child element: the queries that a path may name, as in `GET /rest/disco/example.com?node=x`."""
_SETS = ("archive", "command")


class BadPath(ValueError):
    """The path names no stanza (400 `parse`); `reason` is mod_rest's word for it."""

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(remedy)
        self.reason = reason  # "invalid-path" or "unknown-kind"


class StanzaPath(NamedTuple):
    """Kind, type and recipient of the stanza, from a path."""

    kind: str
    type: str  # of an iq: also the name of a query
    to: str  # not prepared; "" for none

    @property
    def query(self) -> str:
        """The query that the path of an iq names; "" if it names a type."""
        return self.type if self.kind == "iq" and self.type not in ("get", "set") else ""


def stanza_path(path: str) -> StanzaPath:
    """The parts of a percent-decoded path `kind/type/to` or `iq/query/to`. Raises BadPath.

    The recipient is all that follows the second slash, slashes included.
    """
    match = _PATH.fullmatch(path)
    if match is None:
        raise BadPath("invalid-path", "give kind, type and recipient, such as 'message/chat/juliet@capulet.example'")
    parts = StanzaPath(*match.groups())
    if parts.kind not in KINDS:
        raise BadPath("unknown-kind", f"'{parts.kind[:40]}' is not a kind of stanza; give 'message', 'presence' or 'iq'")
    # mod_rest accepts only letters and digits; the gateway also names of queries such as upload_request.
    if not parts.query and not parts.type.isalnum():
        raise BadPath("invalid-path", f"the type '{parts.type[:40]}' is not made of letters and digits")
    return parts


def query_path(path: str) -> StanzaPath:
    """The parts of a percent-decoded path `query/to`, which means `iq/query/to`. Raises BadPath."""
    try:
        return stanza_path(f"iq/{path}")
    except BadPath as e:
        raise BadPath(e.reason, "give query and recipient, such as 'ping/capulet.example' or 'disco/'") from e


def query_iq(query: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The JSON object of the iq for `query`, without addresses; `arguments` become the value of that field.

    `ping` has no arguments. An unknown name makes an iq without a child, which is refused later (`iq_tags`).
    """
    iq: dict[str, Any] = {"kind": "iq", "type": "set" if query in _SETS else "get"}
    if query in QUERIES:
        iq[query] = True if query == "ping" else dict(arguments)
    return iq


def amend(fields: dict[str, Any], path: StanzaPath) -> dict[str, Any]:
    """The object for a body of JSON or form fields (or of none) at this path: its kind, type and recipient replace those of the body.

    An empty recipient replaces nothing.
    """
    to = {"to": path.to} if path.to else {}
    if path.query:
        return {**query_iq(path.query, fields), **to}
    return {**fields, "kind": path.kind, "type": path.type, **to}


def text_at(text: str, path: StanzaPath) -> dict[str, Any]:
    """The object for a body of plain text at this path: a message's body, or a presence's show value. Raises BadPath for an iq."""
    if path.kind not in _TEXT_FIELD:
        raise BadPath("invalid-path", "plain text goes to 'message/…' or 'presence/…'; send JSON or a form to an iq")
    return amend({_TEXT_FIELD[path.kind]: text}, path)
