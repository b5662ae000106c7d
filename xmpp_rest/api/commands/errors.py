"""Errors of the command API, in its two shapes (commands-api §9).

Objects say `{"status": "error", "code": …, "message": …}`; everything else is a bare JSON string.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from xmpp_rest.api.detail import detail_field, did_you_mean
from xmpp_rest.errors import ERRORS, GatewayError
from xmpp_rest.http.body import dump_json
from xmpp_rest.http.encodings import ACCEPTED
from xmpp_rest.http.resource import Stop
from xmpp_rest.service.rooms.refused import RoomRefused

Body = dict[str, Any] | str
NONE: Mapping[str, str] = {}
TOO_LONG = {
    "body": "The request body is larger than {} bytes.",
    "lines": "The batch has more than {} lines.",
    "line": "The line is longer than {} bytes.",
}
"""By the fields of BodyLimits."""


class CommandFailure(Stop):
    """The answer to a call that came to nothing: HTTP status, JSON body, and seconds to wait before the next attempt.

    `detail`: what was wrong and what would be right, beside the body, which is the peer's; `more`: further header fields.
    """

    def __init__(self, status: int, body: Body, retry_after: int = 0, detail: str = "", more: Mapping[str, str] = NONE) -> None:
        retry = {"Retry-After": str(retry_after)} if retry_after else {}
        fields = {"Content-Type": "application/json"} | retry | detail_field(detail) | dict(more)
        self.answer = (dump_json(body), status, fields)
        super().__init__(self.answer)
        self.status = status
        self.body = body
        self.detail = detail

    def explained(self, detail: str) -> CommandFailure:
        """The same with a detail, unless it has one."""
        return CommandFailure(self.status, self.body, detail=self.detail or detail)


def failure(status: int, code: int, message: str, retry_after: int = 0, detail: str = "") -> CommandFailure:
    """A failure in the shape of an object."""
    return CommandFailure(status, {"status": "error", "code": code, "message": message}, retry_after, detail)


def body(status: int, message: str) -> bytes:
    """What is in the body where the state machine refuses by itself."""
    return dump_json({"status": "error", "code": status, "message": message})


def no_name(detail: str = "Write POST /api/COMMAND with a JSON object of its arguments, or GET with a query") -> CommandFailure:
    return failure(400, 40, "Missing command name.", detail=detail)


def unknown_name(name: str, known: Iterable[str]) -> CommandFailure:
    hint = did_you_mean(name, known) or ";"
    detail = f"There is no command {name[:100]!r}{hint} `xmpp-restctl help commands` lists all"
    return failure(404, 40, "Endpoint not found.", detail=detail)


def unauthorized(detail: str = "There is no such account, or its password is wrong") -> CommandFailure:
    return failure(401, 10, "You are not authorized to call this command.", detail=detail)


def throttled(seconds: int) -> CommandFailure:
    """Of our own: the peer's login throttle answers by address, with a plain 401."""
    return failure(429, 10, "Too many wrong passwords; try again later.", seconds)


def rate_exceeded(fields: Mapping[str, str]) -> CommandFailure:
    """Of our own: the peer has no such limit."""
    return CommandFailure(429, {"status": "error", "code": 0, "message": ERRORS["rate"].text}, more=fields)


def bad_token() -> CommandFailure:
    return failure(401, 10, "Oauth Token is invalid or expired.", detail="oauth_issue_token or POST /oauth/token makes a new one")


def forbidden(detail: str = "") -> CommandFailure:
    return failure(403, 32, "AccessRules: Account does not have the right to perform the operation.", detail=detail)


def foreign() -> CommandFailure:
    """Of our own: the peer lets every page act."""
    return failure(403, 32, ERRORS["foreign"].text)


def change_by_get() -> CommandFailure:
    """Of our own, to browsers alone: any page can make them GET (RFC 9110 §9.2.1)."""
    return failure(403, 32, "This command changes something: a browser may call it by POST only.")


def bad_request(detail: str = "") -> CommandFailure:
    return CommandFailure(400, "400 Bad Request", detail=detail)


def unsupported(reason: str) -> CommandFailure:
    """Of our own: the peer calls what is compressed bad JSON."""
    return CommandFailure(415, reason, more={"Accept-Encoding": ACCEPTED})


def too_large(limit: int) -> CommandFailure:
    return failure(413, 0, TOO_LONG["body"].format(limit))


def too_long(exceeded: str, most: int) -> CommandFailure:
    """Of our own: a line of a batch, or what follows it, is beyond this bound of BodyLimits."""
    return failure(413, 0, TOO_LONG[exceeded].format(most))


def unknown_command(detail: str = "") -> CommandFailure:
    """Known by name, but not offered, or not in this version."""
    return CommandFailure(400, "unknown_command", detail=detail)


def internal_command() -> CommandFailure:
    return CommandFailure(400, "frontend_cannot_call_an_internal_command")


def internal_error(detail: str = "") -> CommandFailure:
    """`detail`: COMPAT ejabberd: some mistakes of callers are answered so."""
    return CommandFailure(500, "internal_error", detail=detail)


def rejected(reason: str, detail: str = "") -> CommandFailure:
    """The command cannot do that, and this is why."""
    return CommandFailure(400, reason, detail=detail)


def not_found(reason: str = "not_found") -> CommandFailure:
    return CommandFailure(404, reason)


def of_service(error: GatewayError) -> CommandFailure:
    """A service's error that the command says nothing else about: the caller's fault as a text, the gateway's as an object."""
    if error.name == "internal":
        return internal_error()
    if isinstance(error, RoomRefused):
        return CommandFailure(error.status, error.text, error.retry_after or 0)
    if error.row.status < 500:
        return CommandFailure(error.row.status, error.text)
    return failure(error.row.status, 0, error.text, error.retry_after or 0)
