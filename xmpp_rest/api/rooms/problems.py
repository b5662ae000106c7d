"""Errors of /rest/rooms: problem documents with the condition, and the room and who refused where these are known (rooms-anywhere §6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response
from werkzeug.exceptions import HTTPException

from xmpp_rest.api.failures import retry_after
from xmpp_rest.errors import ERRORS, RETRY_AFTER, GatewayError
from xmpp_rest.http.problem import render_problem
from xmpp_rest.service.rooms.refused import RoomRefusal

DETAILS: Mapping[int, tuple[str, str]] = {
    400: ("bad-request", "A field of the request cannot be read"),
    401: ("not-authorized", "Send Basic with user name and password, or Bearer with a token"),
    403: ("not-authorized", "There is no such account, or its password is wrong; or the token is no longer good, or not for this"),
    404: ("item-not-found", "There is nothing at this path; the rooms are at /rest/rooms/{room}"),
    405: ("not-allowed", ""),
    406: ("not-acceptable", "The answer is application/json"),
    412: ("not-acceptable", "A condition of the request does not hold"),
    413: ("resource-constraint", "The body is too large"),
    415: ("bad-format", "Content-Type must be application/json, and Content-Encoding gzip, deflate or none"),
    429: (ERRORS["throttled"].condition, ERRORS["throttled"].text),
}
"""Status → condition and sentence of what the state machine answers."""
STATUSES = {"link-lost": 503, "iq-timeout": 504, "unanswered": 503, "iq-overload": 503}
"""Errors of services that have another status here than at /rest, which has mod_rest's."""


def members_for(status: int, members: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a problem, with those that every one has."""
    condition, detail = DETAILS.get(status, ("undefined-condition", ""))
    return {"condition": condition} | ({"detail": detail} if detail else {}) | dict(members)


def problem(status: int, condition: str, detail: str, fields: Mapping[str, str] | None = None, /, **members: str) -> Response:
    """A problem document."""
    known = {name: value for name, value in members.items() if value}
    body, content_type = render_problem(status, {"detail": detail, "condition": condition, **known})
    return Response(body, status, fields, content_type=content_type)


def of_refusal(refusal: RoomRefusal, room: str) -> Response:
    """The answer where a room has refused, with its own condition and text (rooms-anywhere §5)."""
    fields = {} if refusal.retry_after is None else {"Retry-After": str(refusal.retry_after)}
    error = refusal.error
    return problem(refusal.status, error.condition, error.text, fields, by=refusal.by, room=room, location=refusal.location)


def of_http(error: HTTPException) -> Response | HTTPException:
    """The answer for what Flask refuses, such as a body that broke off."""
    status = error.code or 500
    if error.response is not None or status < 400:
        return error
    condition, detail = DETAILS.get(status, ("undefined-condition", ""))
    fields = {name: value for name, value in error.get_headers() if name not in ("Content-Type", "Content-Length")}
    return problem(status, condition, error.description or detail, fields)


def of_gateway(error: GatewayError, room: str = "") -> Response:
    """The answer for a service's error."""
    status = STATUSES.get(error.name, error.row.status)
    fields = retry_after(error) or ({"Retry-After": str(RETRY_AFTER)} if status == 503 else {})
    return problem(status, error.row.condition, error.text, fields, room=room)
