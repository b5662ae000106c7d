"""Stanza error conditions: their usual types, and their translation from HTTP statuses."""

from __future__ import annotations

from http import HTTPStatus
from typing import NamedTuple


class StanzaError(NamedTuple):
    """The content of an `<error/>` (RFC 6120 §8.3)."""

    type: str
    condition: str
    text: str = ""
    by: str = ""


DEFAULT_TYPE = {  # RFC 6120 §8.3.3: the usual error type of each condition
    "bad-request": "modify",
    "conflict": "cancel",
    "feature-not-implemented": "cancel",
    "forbidden": "auth",
    "gone": "cancel",
    "internal-server-error": "cancel",
    "item-not-found": "cancel",
    "jid-malformed": "modify",
    "not-acceptable": "modify",
    "not-allowed": "cancel",
    "not-authorized": "auth",
    "payment-required": "auth",
    "policy-violation": "modify",
    "recipient-unavailable": "wait",
    "redirect": "modify",
    "registration-required": "auth",
    "remote-server-not-found": "cancel",
    "remote-server-timeout": "wait",
    "resource-constraint": "wait",
    "service-unavailable": "cancel",
    "subscription-required": "auth",
    "undefined-condition": "cancel",
    "unexpected-request": "wait",
}


def stanza_error(condition: str, text: str = "", by: str = "") -> StanzaError:
    """The error for `condition`, with its usual type."""
    return StanzaError(DEFAULT_TYPE[condition], condition, text, by)


class StanzaRefused(Exception):
    """The stanza error with which a request is refused. `kind`: its type, if not the usual one of the condition."""

    def __init__(self, condition: str, text: str = "", kind: str = "") -> None:
        usual = stanza_error(condition, text)
        self.error = usual._replace(type=kind) if kind else usual
        super().__init__(f"{condition}: {text}")


_FROM_HTTP = {  # COMPAT mod_rest 2024: the condition that the sender of a stanza gets for a webhook's status
    400: ("modify", "bad-request"),
    401: ("auth", "not-authorized"),
    402: ("auth", "payment-required"),
    403: ("auth", "forbidden"),
    404: ("cancel", "item-not-found"),
    405: ("cancel", "not-allowed"),
    406: ("modify", "not-acceptable"),
    407: ("auth", "registration-required"),
    408: ("wait", "remote-server-timeout"),
    409: ("cancel", "conflict"),
    410: ("cancel", "gone"),
    411: ("modify", "bad-request"),
    412: ("cancel", "conflict"),
    413: ("modify", "resource-constraint"),
    414: ("modify", "resource-constraint"),
    415: ("cancel", "feature-not-implemented"),
    416: ("modify", "bad-request"),
    422: ("modify", "bad-request"),
    423: ("wait", "resource-constraint"),
    429: ("wait", "resource-constraint"),
    431: ("modify", "resource-constraint"),
    451: ("auth", "forbidden"),
    500: ("wait", "internal-server-error"),
    501: ("cancel", "feature-not-implemented"),
    502: ("wait", "remote-server-timeout"),
    503: ("cancel", "service-unavailable"),
    504: ("wait", "remote-server-timeout"),
    507: ("wait", "resource-constraint"),
    511: ("auth", "not-authorized"),
}

_PHRASES = {413: "Payload Too Large", 414: "URI Too Long", 416: "Range Not Satisfiable", 422: "Unprocessable Entity"}
# RFC 9110 renamed some phrases; Prosody writes these, and those of Python differ between versions.


def prosody_phrase(status: int) -> str:
    """The registered phrase of an HTTP status, or `Unassigned` (as mod_rest writes it)."""
    if phrase := _PHRASES.get(status):
        return phrase
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unassigned"


def error_of_status(status: int) -> StanzaError:
    """The stanza error for an HTTP answer of `status` (rest-api §12); undefined-condition if it is not in the table."""
    kind, condition = _FROM_HTTP.get(status, ("cancel", "undefined-condition"))
    return StanzaError(kind, condition, f"{status} {prosody_phrase(status)}")
