"""Actions of ntfy: buttons below a message, as JSON or in a short form (hooks §13.2).

The short form: `view, Open portal, https://example.net; http, Close door, url=https://door.example.net, method=PUT`. The first three
values may stand without their keys; a value with commas or semicolons is in quotation marks.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from xmpp_rest.api.ntfy.errors import NtfyError
from xmpp_rest.api.ntfy.fields import TRUE
from xmpp_rest.protocol.strict_json import BadJSON, read_json
from xmpp_rest.service.hooks.published import ALPHABET

MOST = 3
WITH_URL = ("view", "http")
KINDS = (*WITH_URL, "broadcast")
FALSE = frozenset({"0", "no", "false"})
STRINGS = ("action", "label", "url", "method", "body", "intent")
TABLES = ("headers", "extras")
IN_ORDER = ("action", "label", "url")  # the keys of values without one
_KEY = re.compile(r"([-.\w]+)\s*=\s*", re.ASCII)
_PLAIN = re.compile(r"[^,;]*")
_BLANKS = re.compile(r"\s*")
_QUOTED = {quote: re.compile(rf"{quote}((?:[^{quote}\\]|\\.)*){quote}\s*(?=[,;]|$)", re.DOTALL) for quote in "\"'"}


class _Section(NamedTuple):
    key: str
    value: str
    ends: bool
    """Whether it is the last of its action."""


def read_actions(text: str) -> list[dict[str, Any]]:
    """The actions of a text in either form. Raises NtfyError, 40018."""
    text = text.strip()
    if not text.startswith("["):
        return checked(list(islice(_short(text), MOST + 1)))
    try:
        return checked(read_json(text.encode("utf-8", "surrogatepass")))
    except BadJSON as e:
        raise NtfyError(40018, f"JSON error: {e}") from e


def checked(actions: Any) -> list[dict[str, Any]]:
    """The actions as answers tell them, each with an id. Raises NtfyError, 40018."""
    if not isinstance(actions, list) or not all(isinstance(action, dict) for action in actions):
        raise NtfyError(40018, "they have to be an array of objects")
    if len(actions) > MOST:
        raise NtfyError(40018, f"only {MOST} actions allowed")
    return [_checked(action) for action in actions]


def _checked(given: Mapping[str, Any]) -> dict[str, Any]:
    action = {name: given[name] for name in (*STRINGS, *TABLES) if given.get(name) not in (None, "", {})}
    if not all(isinstance(action.get(name, ""), str) for name in STRINGS) or not all(_is_table(action.get(name, {})) for name in TABLES):
        raise NtfyError(40018, "a parameter has the wrong type")
    if not isinstance(clear := given.get("clear") or False, bool):
        raise NtfyError(40018, "parameter 'clear' has to be true or false")
    kind = str(action.get("action", "")).lower()
    method = str(action.get("method", "")).upper()
    if kind not in KINDS:
        raise NtfyError(40018, f"parameter 'action' cannot be '{kind[:40]}', valid values are 'view', 'broadcast' and 'http'")
    if "label" not in action:
        raise NtfyError(40018, "parameter 'label' is required")
    if kind in WITH_URL and "url" not in action:
        raise NtfyError(40018, f"parameter 'url' is required for action '{kind}'")
    if kind == "http" and method in ("GET", "HEAD") and "body" in action:
        raise NtfyError(40018, f"parameter 'body' cannot be set if method is {method}")
    identifier = "".join(secrets.choice(ALPHABET) for _ in range(10))
    return {"id": identifier, **action, "action": kind, "clear": clear} | ({"method": method} if method else {})


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _short(text: str) -> Iterator[dict[str, Any]]:
    action: dict[str, Any] = {}
    number = 0
    for section in _sections(text):
        _put(action, section, number)
        number += 1
        if section.ends:
            yield action
            action, number = {}, 0


def _sections(text: str) -> Iterator[_Section]:
    at = 0
    while at < len(text):
        at = _after_blanks(text, at)
        key = ""
        if found := _KEY.match(text, at):
            key, at = found[1], found.end()
        value, at = _value(text, at)
        ends = at >= len(text) or text[at] == ";"
        yield _Section(key, value, ends)
        at += 1
        if ends:
            at = _after_blanks(text, at)


def _after_blanks(text: str, at: int) -> int:
    blanks = _BLANKS.match(text, at)
    return blanks.end() if blanks else at


def _value(text: str, at: int) -> tuple[str, int]:
    """The value that begins there, and where it ends."""
    quote = text[at : at + 1]
    if quote not in _QUOTED:
        plain = _PLAIN.match(text, at)
        assert plain is not None  # it matches nothing too
        return plain[0].strip(), plain.end()
    if (quoted := _QUOTED[quote].match(text, at)) is None:
        raise NtfyError(40018, f"the quotation that starts at position {at + 1} does not end as it should")
    return quoted[1].replace(f"\\{quote}", quote), quoted.end()


def _put(action: dict[str, Any], section: _Section, number: int) -> None:
    key, value = section.key, section.value
    if not key and number < len(IN_ORDER) and (number < 2 or action.get("action", "").lower() in WITH_URL):
        key = IN_ORDER[number]
    table, dot, name = key.partition(".")
    if dot and table in TABLES:
        action.setdefault(table, {})[name] = value
    elif key.lower() == "clear":
        if value.lower() not in TRUE | FALSE:
            raise NtfyError(40018, f"parameter 'clear' cannot be '{value[:40]}', only boolean values are allowed (true/yes/1/false/no/0)")
        action["clear"] = value.lower() in TRUE
    elif key.lower() in STRINGS:
        action[key.lower()] = value
    elif key:
        raise NtfyError(40018, f"key '{key[:40]}' unknown")
    else:
        raise NtfyError(40018, f"term '{value[:40]}' unknown")
