"""What is written down about a call? One line: who, what, from where, with what result; never a secret (spec commands-api §16)."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from typing import Any

from xmpp_rest.auth.rights import Asker

SECRETS = frozenset(("password", "newpass", "passwordhash", "secret", "token"))
HIDDEN = "hidden"
MAX_VALUE = 200  # characters of one argument
log = logging.getLogger("xmpp_rest.commands")


def record(asker: Asker | None, address: str, target: str, given: Iterable[tuple[str, Any]], status: int) -> None:
    """Log one call; `asker` is None where it was not found out."""
    who = "unknown" if asker is None else str(asker.jid or "anonymous")
    shown = " ".join(f"{_text(name)}={_text(hidden(name, value))}" for name, value in given)
    log.info("%s from %s called %s (%s): %d", who, address or "unknown", _text(target), shown, status)


def hidden(name: str, value: Any) -> Any:
    """`value` without what must not be written down, at whatever depth it stands."""
    if name in SECRETS:
        return HIDDEN
    if isinstance(value, list):
        return [hidden("", element) for element in value]
    if not isinstance(value, dict):
        return value
    if value.get("name") in SECRETS:  # an option such as {"name": "password", "value": …}
        return value | {"value": HIDDEN}
    return {key: hidden(key, element) for key, element in value.items()}


def _text(value: Any) -> str:
    """On one line, whatever it is."""
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}…"
