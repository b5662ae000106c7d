"""Names each request in its answer: X-Request-Id, as the client has written it, or anew (COMPAT mod_rest of April 2025)."""

from __future__ import annotations

import re
import secrets

from flask import Flask, Response, request

FIELD = "X-Request-Id"
_KNOWN = "xmpp_rest.request_id"  # in the environ
_TAKEN = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


def request_id() -> str:
    """The name of the request at hand: the client's, or one that is made for it."""
    known: str | None = request.environ.get(_KNOWN)
    if known is None:
        known = request.environ[_KNOWN] = _given() or secrets.token_hex(16)
    return known


def _given() -> str | None:
    given = request.environ.get("HTTP_X_REQUEST_ID")
    return given if given is not None and _TAKEN.fullmatch(given) else None


def name(response: Response) -> Response:
    """The response with the field, whatever its status. A kept one that is sent again has its own, unless the client names this one."""
    if FIELD not in response.headers or _given():
        response.headers[FIELD] = request_id()
    return response


def install(app: Flask) -> None:
    """Let every answer of the application carry the field."""
    app.after_request(name)
