"""Kind and type of a stanza, also for objects that do not state them (json-mapping §2)."""

from __future__ import annotations

from typing import Any

from xmpp_rest.protocol.jsonmap.exceptions import MappingError
from xmpp_rest.protocol.jsonmap.fields import TABLES
from xmpp_rest.protocol.stanza import KINDS

KIND_OF_TYPE = {
    **dict.fromkeys(("get", "set", "result"), "iq"),
    **dict.fromkeys(("normal", "chat", "headline", "groupchat"), "message"),
    **dict.fromkeys(("available", "unavailable", "subscribe", "subscribed", "unsubscribe", "unsubscribed"), "presence"),
}
KIND_OF_FIELD = {  # the first of these that the object has decides
    **dict.fromkeys(("disco", "items", "ping", "version", "command", "archive"), "iq"),
    **dict.fromkeys(("body", "html", "replace", "state", "subject", "thread"), "message"),
    **dict.fromkeys(("join", "priority", "show", "status"), "presence"),
}
_SETS = ("archive", "command")
_MORE = {"presence": ("join",), "iq": (), "message": ()}  # short forms, of older.py
KNOWN: dict[str, frozenset[str]] = {
    kind: frozenset(("kind", "error", "error_code", *_MORE[kind], *(line.name for line in lines))) for kind, lines in TABLES.items()
}
"""The known members of an object of each kind."""
_EVERYDAY = frozenset(("archive", "command", "items", "priority", "show", "status", "version"))
"""Members that objects of other programs have too: they decide the kind only if every other member belongs to that kind."""


def given(obj: dict[str, Any], name: str) -> bool:
    """Whether the object has this field, and it is not false."""
    return obj.get(name, False) is not False


def kind_and_type(obj: dict[str, Any]) -> tuple[str, str | None]:
    """The name of the stanza, and its type attribute if it has one. Raises MappingError for an unknown kind."""
    stated, implied = _string(obj, "type"), None
    kind = _string(obj, "kind")
    if stated is None and any(given(obj, name) for name in _SETS) and (kind is not None or _belong(obj, "iq")):
        implied = "set"
    if kind is None:
        kind = KIND_OF_TYPE.get(stated if stated is not None else implied or "") or _kind_by_field(obj)
    if kind not in KINDS:
        raise MappingError("give 'message', 'presence' or 'iq'", "kind")
    if kind == "iq":
        return kind, stated if stated is not None else implied or "get"
    return kind, None if (kind, stated) == ("presence", "available") else stated


def _string(obj: dict[str, Any], name: str) -> str | None:
    value = obj.get(name)
    return value if isinstance(value, str) else None


def _kind_by_field(obj: dict[str, Any]) -> str:
    fields = ((name, kind) for name, kind in KIND_OF_FIELD.items() if given(obj, name))
    return next((kind for name, kind in fields if name not in _EVERYDAY or _belong(obj, kind)), "message")


def _belong(obj: dict[str, Any], kind: str) -> bool:
    return all(name in KNOWN[kind] for name in obj)
