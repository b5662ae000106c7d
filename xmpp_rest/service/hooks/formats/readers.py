"""The readers of formats, and which payloads they can read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from xmpp_rest.service.hooks.formats import plain
from xmpp_rest.service.hooks.message_parts import HookRequest, MessageParts
from xmpp_rest.service.hooks.payload import Payload, PostedForm

READERS: Mapping[str, Callable[[HookRequest], MessageParts]] = MappingProxyType(
    {"text": plain.read_text, "json": plain.read_json, "form": plain.read_form}
)


def looks_right(name: str, payload: Payload) -> bool:
    """Whether the payload has what the format's reader needs; what has not is read as text, form or JSON."""
    value = payload.value
    return {"text": isinstance(value, str), "form": isinstance(value, PostedForm), "json": not isinstance(value, str | PostedForm)}.get(
        name, False
    )
