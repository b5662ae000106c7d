"""Which errors does the command API send, and in which of its two shapes? (spec commands-api §9)

Objects say `{"status": "error", "code": …, "message": …}`; everything else is a bare JSON string.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xmpp_rest.api.foreign import REFUSAL
from xmpp_rest.errors import RETRY_AFTER, GatewayError
from xmpp_rest.http.body import dump_json
from xmpp_rest.http.encodings import ACCEPTED
from xmpp_rest.http.resource import Stop

Body = dict[str, Any] | str
NONE: Mapping[str, str] = {}


class Failure(Stop):
    """The answer to a call that came to nothing: HTTP status, JSON body, and seconds to wait before the next attempt."""

    def __init__(self, status: int, body: Body, retry_after: int = 0, more: Mapping[str, str] = NONE) -> None:
        fields = {"Content-Type": "application/json"} | ({"Retry-After": str(retry_after)} if retry_after else {}) | dict(more)
        self.answer = (dump_json(body), status, fields)
        super().__init__(self.answer)
        self.status = status
        self.body = body


def failure(status: int, code: int, message: str, retry_after: int = 0) -> Failure:
    """A failure in the shape of an object."""
    return Failure(status, {"status": "error", "code": code, "message": message}, retry_after)


def no_name() -> Failure:
    return failure(400, 40, "Missing command name.")


def unknown_name() -> Failure:
    return failure(404, 40, "Endpoint not found.")


def unauthorized() -> Failure:
    return failure(401, 10, "You are not authorized to call this command.")


def throttled(seconds: int) -> Failure:
    """Of our own: the peer's login throttle answers by address, with a plain 401."""
    return failure(429, 10, "Too many wrong passwords; try again later.", seconds)


def bad_token() -> Failure:
    return failure(401, 10, "Oauth Token is invalid or expired.")


def forbidden() -> Failure:
    return failure(403, 32, "AccessRules: Account does not have the right to perform the operation.")


def foreign() -> Failure:
    """Of our own: the peer lets every page act."""
    return failure(403, 32, REFUSAL)


def change_by_get() -> Failure:
    """Of our own, to browsers alone: any page can make them GET (RFC 9110 §9.2.1)."""
    return failure(403, 32, "This command changes something: a browser may call it by POST only.")


def bad_request() -> Failure:
    return Failure(400, "400 Bad Request")


def unsupported(reason: str) -> Failure:
    """Of our own: the peer calls what is compressed bad JSON."""
    return Failure(415, reason, more={"Accept-Encoding": ACCEPTED})


def too_large(limit: int) -> Failure:
    return failure(413, 0, f"The request body is larger than {limit} bytes.")


def unknown_command() -> Failure:
    """Known by name, but not offered, or not in this version."""
    return Failure(400, "unknown_command")


def internal_command() -> Failure:
    return Failure(400, "frontend_cannot_call_an_internal_command")


def internal_error() -> Failure:
    return Failure(500, "internal_error")


def rejected(reason: str) -> Failure:
    """The command cannot do that, and this is why."""
    return Failure(400, reason)


def not_found(reason: str = "not_found") -> Failure:
    return Failure(404, reason)


def of_service(error: GatewayError) -> Failure:
    """A service's error that the command says nothing else about: the caller's fault as a text, the gateway's as an object."""
    if error.row.status < 500:
        return Failure(error.row.status, error.text)
    return failure(error.row.status, 0, error.text, RETRY_AFTER if error.row.status == 503 else 0)
