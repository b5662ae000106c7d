"""How does a Flask response come to be from a status, header fields and a body?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

from flask import Flask, Response, current_app
from werkzeug.datastructures import Headers
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.local import LocalProxy

from .body import Payload, fill

#: The status line of a response whose status no callback has touched: setting 200 writes "200 OK".
UNTOUCHED = "200 Ok"

_STATUS_LINES = {status: f"{status} {phrase.upper()}" for status, phrase in HTTP_STATUS_CODES.items()}
_LINE_BREAK = re.compile(r"[\r\n]")
_WITHOUT_LENGTH = frozenset((*range(100, 200), 204, 304))  # RFC 9110 §8.6
_REWRITTEN = frozenset(("location", "content-location"))


class InHand(Response):
    """A response with its body in hand, that is sent as it stands wherever Werkzeug would find nothing to correct."""

    def get_wsgi_headers(self, environ: dict[str, Any]) -> Headers:
        """The fields to be sent; Werkzeug makes a copy of them first, and checks each once more."""
        names = {name.lower() for name, _ in self.headers}
        if self.status_code in _WITHOUT_LENGTH or "content-length" not in names or not names.isdisjoint(_REWRITTEN):
            return super().get_wsgi_headers(environ)
        return self.headers


def response_class() -> type[Response]:
    """The class of responses of the application that serves this request."""
    return cast("LocalProxy[Flask]", current_app)._get_current_object().response_class


def empty_response(fields: Mapping[str, str]) -> Response:
    """A response for callbacks to touch, without Flask's default Content-Type, which must not leak."""
    response = response_class()(status=UNTOUCHED)
    response.headers = Headers(fields)
    return response


def construct(fields: Mapping[str, str], payload: Payload | None, status: int, *, shortcut: bool) -> Response:
    """A finished response. Raises ValueError for a line break in a field.

    With ``shortcut`` the object is filled without running its constructor, wherever that constructor is Flask's own
    and the body is in hand: it costs as much as the rest of the state machine.
    """
    made_by = response_class()
    if shortcut and made_by is Response and isinstance(payload, bytes):
        return _assembled(fields, payload, status)
    response = made_by(payload if isinstance(payload, bytes) else None, status, Headers(fields))
    if "Content-Type" not in fields:
        response.headers.remove("Content-Type")
    if payload is not None and not isinstance(payload, bytes):
        fill(response, payload)
    return response


def _assembled(fields: Mapping[str, str], payload: bytes, status: int) -> Response:
    """What the constructor of Response leaves behind, by way of attributes that are private to Werkzeug 3."""
    if _LINE_BREAK.search("".join(fields.values())):
        raise ValueError("Header values must not contain newline characters.")
    headers = Headers()
    headers._list = [*fields.items(), ("Content-Length", str(len(payload)))]
    response = InHand.__new__(InHand)
    response.headers = headers
    response._status = _STATUS_LINES.get(status) or f"{status} UNKNOWN"
    response._status_code = status
    response.direct_passthrough = False
    response._on_close = []
    response.response = [payload]
    return response


def with_exact_location(response: Response) -> Response:
    """Let ``Location`` out as it was returned: Werkzeug would re-write it (drop an empty query, quote brackets)."""
    location = response.headers.get("Location")
    if location is not None and location.isascii():
        made_by: Any = type(response)
        response.__class__ = _exact(made_by)
    return response


@lru_cache(maxsize=16)
def _exact(base: Any) -> Any:
    class Exact(base):  # type: ignore[misc]
        def get_wsgi_headers(self, environ: dict[str, Any]) -> Headers:
            headers: Headers = super().get_wsgi_headers(environ)
            if "Location" in self.headers:
                headers["Location"] = self.headers["Location"]
            return headers

    Exact.__name__ = base.__name__
    return Exact
