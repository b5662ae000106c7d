"""Names each request in its answer: X-Request-Id, as the client has written it, or a new one (COMPAT mod_rest of April 2025)."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from typing import Any

from flask import Flask, Response, request

FIELD = "X-Request-Id"
_KNOWN = "xmpp_rest.request_id"  # in the environ
_TAKEN = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


def request_id() -> str:
    """The name of the request at hand: the client's, or one that is made for it."""
    return _name_of(request.environ)


def _name_of(environ: dict[str, Any]) -> str:
    known: str | None = environ.get(_KNOWN)
    if known is None:
        known = environ[_KNOWN] = _given(environ) or f"{random.getrandbits(128):032x}"  # a name, and no secret
    return known


def _given(environ: Mapping[str, Any]) -> str | None:
    given = environ.get("HTTP_X_REQUEST_ID")
    return given if given is not None and _TAKEN.fullmatch(given) else None


def name(response: Response) -> Response:
    """The response with the field, whatever its status. A kept one that is sent again has its own, unless the client names this one."""
    environ, fields = request.environ, response.headers
    if not any(field == FIELD for field, _ in fields):  # nearly always; three times as quick as `in`, and as to set it
        fields.add(FIELD, _name_of(environ))
    elif _given(environ):
        fields[FIELD] = _name_of(environ)
    return response


def install(app: Flask) -> None:
    """Let every answer of the application carry the field."""
    app.after_request(name)
