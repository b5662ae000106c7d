"""Parameters of ntfy: from header fields or the query, by any of their names (hooks §13.2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from email.errors import HeaderParseError
from email.header import decode_header

TRUE = frozenset({"1", "yes", "true"})
NAMES: Mapping[str, tuple[str, ...]] = {
    "title": ("x-title", "title", "t"),
    "message": ("x-message", "message", "m"),
    "priority": ("x-priority", "priority", "prio", "p"),
    "tags": ("x-tags", "tags", "tag", "ta"),
    "delay": ("x-delay", "delay", "x-at", "at", "x-in", "in"),
    "click": ("x-click", "click"),
    "icon": ("x-icon", "icon"),
    "attach": ("x-attach", "attach", "a"),
    "filename": ("x-filename", "filename", "file", "f"),
    "actions": ("x-actions", "actions", "action"),
    "email": ("x-email", "x-e-mail", "email", "e-mail", "mail", "e"),
    "call": ("x-call", "call"),
    "markdown": ("x-markdown", "markdown", "md"),
    "cache": ("x-cache", "cache"),
    "firebase": ("x-firebase", "firebase"),
    "unifiedpush": ("x-unifiedpush", "unifiedpush", "up"),
    "poll-id": ("x-poll-id", "poll-id"),
    "template": ("x-template", "template", "tpl"),
    "content-type": ("content-type", "content_type"),
    "poll": ("x-poll", "poll", "po"),
    "since": ("x-since", "since", "si"),
    "scheduled": ("x-scheduled", "scheduled", "sched"),
    "id": ("x-id", "id"),
    "auth": ("authorization", "auth"),
}
"""What it is → its names, in the order in which they count."""
_RFC_9218 = re.compile(r"(?:u=[0-7]|i(?:=\?[01])?)(?:\s*,\s*(?:u=[0-7]|i(?:=\?[01])?|[0-9]))*")  # browsers and proxies send it
Field = Callable[[str], str | None]
"""The value of a header field, as WSGI has it: each byte a character."""


class Parameters:
    """The parameters of one request. A header goes before the query; an empty value is none."""

    def __init__(self, field: Field, query: Mapping[str, str]) -> None:
        """`query`: of each name its first value."""
        self._field = field
        self._query = {name.lower(): value for name, value in reversed([*query.items()])}

    def text(self, name: str) -> str:
        """The value, without white space around it; "" for none."""
        return self._in_fields(name) or self.in_query(name)

    def is_true(self, name: str) -> bool:
        """Whether it is said to be so."""
        return self.text(name).lower() in TRUE

    def listed(self, name: str) -> list[str]:
        """Its parts, which commas separate."""
        return split(self.text(name))

    def in_query(self, name: str) -> str:
        """The value in the query."""
        values = (self._query.get(alias, "").strip() for alias in NAMES[name])
        return next(filter(None, values), "")

    def _in_fields(self, name: str) -> str:
        for alias in NAMES[name]:
            value = read_field(self._field(alias) or "")
            if value and not (alias == "priority" and _RFC_9218.fullmatch(value)):
                return value
        return ""


def split(text: str) -> list[str]:
    """The parts of a list that commas separate."""
    return [part for part in map(str.strip, text.split(",")) if part]


def read_field(value: str) -> str:
    """The text of a header field: RFC 2047, or UTF-8, or else Latin-1."""
    if not value:
        return ""
    try:
        text = value.encode("latin-1").decode()
    except UnicodeError:
        text = value
    return (_decoded(text) if "=?" in text else text).strip()


def _decoded(text: str) -> str:
    """The text of encoded words (RFC 2047 §2); as it is, if one of them cannot be read."""
    try:
        return "".join(part if isinstance(part, str) else part.decode(charset or "latin-1") for part, charset in _words(text))
    except (HeaderParseError, LookupError, ValueError):
        return text


def _words(text: str) -> list[tuple[bytes | str, str | None]]:
    """The encoded words and what is between them; that has to be encoded for the parser of the library."""
    found: list[tuple[bytes | str, str | None]] = []
    for piece in re.split(r"(=\?[^?\s]+\?[bBqQ]\?[^?]*\?=(?:\s+=\?[^?\s]+\?[bBqQ]\?[^?]*\?=)*)", text):
        found.extend(decode_header(piece) if piece.startswith("=?") else [(piece, None)])
    return found
