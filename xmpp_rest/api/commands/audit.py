"""The audit of calls: one line with caller, command, address and result; never a secret (commands-api §16)."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from itertools import islice
from json.encoder import encode_basestring_ascii
from typing import Any

from xmpp_rest.auth.rights import Principal

SECRETS = frozenset(("password", "newpass", "passwordhash", "secret", "token"))
HIDDEN = "hidden"
MAX_VALUE = 200  # characters of one argument
MAX_ELEMENTS = 20  # of a list or object
MAX_ARGUMENTS = 30  # no command has half as many
MAX_DEPTH = 8
log = logging.getLogger("xmpp_rest.commands")


def record(principal: Principal | None, address: str, target: str, given: Iterable[tuple[str, Any]], status: int) -> None:
    """Log one call; `principal` is None where it was not found out."""
    who = "unknown" if principal is None else str(principal.jid or "anonymous")
    arguments = list(islice(given, MAX_ARGUMENTS))
    if ("option" in dict(arguments)) and any(name == "option" and str(value) in SECRETS for name, value in arguments):
        arguments = [(name, HIDDEN if name == "value" else value) for name, value in arguments]  # change_room_option, of a room's password
    shown = " ".join([f"{_to_text(name)}={_to_text(hidden(name, value))}" for name, value in arguments])
    if log.isEnabledFor(logging.INFO):  # without a place in the code, which is always here, and takes as long as the rest to find
        values = (who, address or "unknown", _to_text(target), shown, status)
        log.handle(log.makeRecord(log.name, logging.INFO, __file__, 0, "%s from %s called %s (%s): %d", values, None))


def hidden(name: str, value: Any, depth: int = MAX_DEPTH) -> Any:
    """`value` without what must not be written down, at whatever depth it stands; long and deep ones are cut."""
    if name in SECRETS:
        return HIDDEN
    if isinstance(value, str):
        return value[:MAX_VALUE]
    if isinstance(value, list | dict) and not depth:
        return "…"
    if isinstance(value, list):
        return [hidden("", element, depth - 1) for element in value[:MAX_ELEMENTS]]
    if not isinstance(value, dict):
        return value
    members = dict(islice(value.items(), MAX_ELEMENTS))
    if str(members.get("name")) in SECRETS:  # an option such as {"name": "password", "value": …}
        return {"name": members["name"], "value": HIDDEN}
    return {key: hidden(key, element, depth - 1) for key, element in members.items()}


def _to_text(value: Any) -> str:
    """On one line, whatever it is."""
    text = encode_basestring_ascii(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=True)
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}…"
