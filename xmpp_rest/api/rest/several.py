"""Finds the recipients in a body that names several: `to` as a list in JSON, or repeated in a form."""

from __future__ import annotations

import re
from typing import Any, NamedTuple
from urllib.parse import unquote

from xmpp_rest.protocol.codecs import FORM, JSON, looks_like_json
from xmpp_rest.protocol.strict_json import BadJSON, read_json, write_json

_LIST = re.compile(rb'"to"\s*:\s*\[')
_FIELD = re.compile(rb"(?:t|%74)(?:o|%6f)=", re.IGNORECASE)


class SeveralRecipients(NamedTuple):
    """The recipients as they were written, and the body without them, of this type."""

    recipients: list[Any]
    kind: str
    body: bytes


def several_recipients(kind: str, body: bytes) -> SeveralRecipients | None:
    """The recipients that a body of this type names; None if it has one `to`, or none, or cannot be read."""
    if kind == JSON or (kind == FORM and looks_like_json(body)):
        return _in_json(body) if _LIST.search(body) else None
    return _in_form(body) if kind == FORM and len(_FIELD.findall(body)) > 1 else None


def _in_json(body: bytes) -> SeveralRecipients | None:
    try:
        value = read_json(body)
    except BadJSON:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("to"), list):
        return None  # it stands deeper
    return SeveralRecipients(value.pop("to"), JSON, write_json(value))


def _in_form(body: bytes) -> SeveralRecipients | None:
    try:
        parts = [part.partition("=") for part in body.decode().split("&")]
        recipients = [unquote(value.replace("+", " "), errors="strict") for name, equals, value in parts if equals and _is_to(name)]
    except UnicodeDecodeError:
        return None
    if len(recipients) < 2:
        return None
    rest = "&".join(f"{name}{equals}{value}" for name, equals, value in parts if not _is_to(name))
    return SeveralRecipients(recipients, FORM, rest.encode())


def _is_to(name: str) -> bool:
    return unquote(name.replace("+", " "), errors="strict") == "to"
