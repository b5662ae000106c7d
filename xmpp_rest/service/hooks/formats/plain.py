"""Text, JSON of any shape, and forms."""

from __future__ import annotations

import json
from typing import Any

from xmpp_rest.service.hooks.characters import one_line
from xmpp_rest.service.hooks.message_parts import HookRequest, MessageParts, first_string, items, string, table
from xmpp_rest.service.hooks.payload import PostedForm
from xmpp_rest.service.hooks.said import NothingToSay

INDENTED = 50_000
"""Characters of JSON up to which it is indented: 25,000 numbers, each on a line of its own 64 levels deep, are 3 MB."""
TITLE = ("title", "subject")
TEXT = ("text", "message", "body", "msg", "content")
URL = ("url", "link", "click")


def read_text(request: HookRequest) -> MessageParts:
    """A text."""
    value = request.payload.value
    if not isinstance(value, str) or not value.strip():
        raise NothingToSay("there is no text")
    return MessageParts(text=value)


def read_json(request: HookRequest) -> MessageParts:
    """JSON: the parts that have usual names, else all of it as a block."""
    value = request.payload.value
    if value is None or isinstance(value, bool | int | float) or not value:
        raise NothingToSay("there is nothing to say: expected an object with text, message or body")
    return _with_usual_names(value) or MessageParts(text=block(value))


def read_form(request: HookRequest) -> MessageParts:
    """A form: the fields that have usual names, else all of them as lines."""
    value = request.payload.value
    if not isinstance(value, dict) or not value:
        raise NothingToSay("the form is empty: expected a field text, message or body")
    return _with_usual_names(value) or MessageParts(text="\n".join(f"{name}: {text}" for name, text in value.items()))


def read_whatever(request: HookRequest) -> MessageParts:
    """What does not look as the hook's fixed format does: as text, form or JSON."""
    value = request.payload.value
    return read_text(request) if isinstance(value, str) else read_form(request) if isinstance(value, PostedForm) else read_json(request)


def whatever(value: Any) -> str:
    """The name of the format that `read_whatever` reads a value as."""
    return "text" if isinstance(value, str) else "form" if isinstance(value, PostedForm) else "json"


def _with_usual_names(value: Any) -> MessageParts | None:
    if isinstance(value, str):
        return MessageParts(text=value) if value.strip() else None
    if not isinstance(value, dict):
        return None
    title, text = one_line(first_string(value, *TITLE)), first_string(value, *TEXT)
    if not title and not text:
        return None
    return MessageParts(title, text, one_line(first_string(value, *URL), 2000), files=files_in(value))


def files_in(value: Any) -> tuple[str, ...]:
    """Names of files inside an object, as Apprise puts them there."""
    found = (table(each) for each in items(table(value).get("attachments")))
    return tuple(string(each, "filename") or string(each, "name") or "a file" for each in found if "base64" in each)


def block(value: Any) -> str:
    """JSON as a preformatted block (XEP-0393 §4.2), indented where it is not too much."""
    text = json.dumps(value, ensure_ascii=False)
    if len(text) <= INDENTED:
        text = json.dumps(value, ensure_ascii=False, indent=2)
    return f"```\n{text}\n```"
