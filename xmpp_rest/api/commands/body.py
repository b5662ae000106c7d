"""The arguments in a request: a JSON object in a POST, the query in a GET (commands-api §3)."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote_plus

from xmpp_rest.api.commands.arguments import Given
from xmpp_rest.api.commands.errors import bad_request, rejected
from xmpp_rest.protocol import strict_json

EXAMPLE = '{"user": "juliet", "host": "localhost"}'
NO_ARGUMENTS = b"\n"  # COMPAT ejabberd: what `curl -d '\n'` and its own tools send for nothing


def read_json(body: bytes) -> Given:
    """The members of the object in `body`; of two with the same name the last one counts. Raises CommandFailure."""
    if not body:
        raise rejected("Missing POST data", "Send a JSON object with the arguments; {} for none")
    if body == NO_ARGUMENTS:
        return []
    try:
        value = strict_json.read_json(body)
        if b"\\ud" in body.lower():  # perhaps half of a surrogate pair, which is not text (RFC 8259 §8.2)
            json.dumps(value, ensure_ascii=False).encode()
    except ValueError as e:
        raise bad_request(f"{e}; write an object with the arguments, such as {EXAMPLE}") from e
    if value == [] and isinstance(value, list):  # COMPAT ejabberd: no arguments
        return []
    if not isinstance(value, dict):
        raise bad_request(f"The body is not an object; write one with the arguments, such as {EXAMPLE}")
    return list(value.items())


def read_query(query: bytes) -> Given:
    """The fields of a query string, all of them text. Raises CommandFailure."""
    try:
        return [_field(part) for part in query.decode().split("&") if part]
    except UnicodeDecodeError as e:
        raise bad_request("The query is not UTF-8, percent-encoded") from e


def _field(part: str) -> tuple[str, Any]:
    name, equals, value = part.partition("=")
    if not equals:
        raise bad_request("The query must be of the form NAME=VALUE&NAME=VALUE")
    return unquote_plus(name, errors="strict"), unquote_plus(value, errors="strict")
