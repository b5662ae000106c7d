"""The audit of calls: one line with caller, command, address and result; never a secret (commands-api §16)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import islice
from typing import Any

from xmpp_rest.auth.rights import Principal
from xmpp_rest.logs.audit import note_command

SECRETS = frozenset(("password", "newpass", "passwordhash", "secret", "token"))
HIDDEN = "hidden"
MAX_VALUE = 200  # characters of one argument
MAX_ELEMENTS = 20  # of a list or object
MAX_ARGUMENTS = 30  # no command has half as many
MAX_DEPTH = 8


def record(principal: Principal | None, address: str, target: str, given: Iterable[tuple[str, Any]], status: int) -> None:
    """Log one call; `principal` is None where it was not found out."""
    arguments = list(islice(given, MAX_ARGUMENTS))
    if any(name == "option" and str(value) in SECRETS for name, value in arguments):
        arguments = [(name, HIDDEN if name == "value" else value) for name, value in arguments]  # change_room_option, of a room's password
    shown = {name[:MAX_VALUE]: _short(hidden(name, value)) for name, value in arguments}
    account = str(principal.jid) if principal is not None and principal.jid is not None else None
    note_command(account, address or None, target[:MAX_VALUE], shown, status)


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


def _short(value: Any) -> Any:
    """The value, or the beginning of its text where that is long."""
    if value is None or isinstance(value, str | bool | float):
        return value
    text = json.dumps(value)
    return value if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}…"
