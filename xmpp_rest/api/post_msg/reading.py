"""Reads what is posted: a text, a form, or JSON (hooks §16)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.codecs import CODECS, FORM, JSON, TEXT, EmptyStanza, UnreadableStanza, media_type
from xmpp_rest.protocol.strict_json import BadJSON, read_json, write_json

FIELDS = ("to", "type", "body", "subject", "html")
SAYING = ("body", "subject", "html")
TYPES = ("chat", "normal", "headline", "groupchat")
TAKEN = (TEXT, FORM, JSON)
MOST_FIELDS = 1000


class UnknownMessageType(ValueError):
    """A media type that is not taken."""


class BadField(ValueError):
    """A field that is missing, or has a value that it cannot have; the sentence says which."""


def read_message(content_type: str, data: bytes, to: str) -> Element:
    """The message that a body is; `to`: its recipient, where it names none.

    Raises UnknownMessageType, BadField; UnreadableStanza, with BadStanzaAddress and EmptyStanza among them.
    """
    fields = {"to": to, "type": "chat"} | {name: value for name, value in _fields(content_type, data).items() if name in FIELDS and value}
    if not any(str(fields.get(name, "")).strip() for name in SAYING):
        raise EmptyStanza("there is nothing to send: no body, subject or html", Element("message"))
    if not fields["to"]:
        raise BadField("Name the recipient in the path, or as `to`")
    if fields["type"] not in TYPES:
        raise BadField(f"type must be one of {', '.join(TYPES)}")
    return CODECS[JSON].read(write_json({"kind": "message", **fields}))


def _fields(content_type: str, data: bytes) -> dict[str, Any]:
    kind = media_type(content_type) if content_type.strip() else TEXT
    if kind == JSON or kind.endswith("+json"):
        return _json(data)
    if kind not in TAKEN:
        raise UnknownMessageType(f"Content-Type must be one of {', '.join(TAKEN)}")
    try:
        text = data.decode()
    except UnicodeDecodeError as e:
        raise UnreadableStanza(f"the body is not UTF-8: {e.reason} at byte {e.start}") from e
    if kind == TEXT or "=" not in text:
        return {"body": text}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError as e:  # UnicodeDecodeError is one
        raise UnreadableStanza(f"the form cannot be read: {e}") from e
    return dict(reversed(pairs))  # of equal names the first


def _json(data: bytes) -> dict[str, Any]:
    try:
        value = read_json(data)
    except BadJSON as e:
        raise UnreadableStanza(str(e)) from e
    if not isinstance(value, dict):
        raise UnreadableStanza("the JSON is not an object")
    return value
