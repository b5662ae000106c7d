"""Addresses in fields and segments of the client API; an error repeats the given text (client-api §3.8, §7)."""

from __future__ import annotations

import json
from typing import Any

from xmpp_rest.api.client.values import address
from xmpp_rest.protocol.jid import JID


def bare_address(value: Any, text: str) -> JID:
    """The bare address that `value` spells. Raises Refusal: 400 with `text` and what was given."""
    return address(value, f"{text}: {shown(value)}").bare


def shown(value: Any) -> str:
    """A text as it is, another scalar as JSON, of anything larger its brackets."""
    if isinstance(value, str):
        return value
    return "[…]" if isinstance(value, list) else "{…}" if isinstance(value, dict) else json.dumps(value)
