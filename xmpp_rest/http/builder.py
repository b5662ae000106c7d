"""The response under construction: header fields, a body, and the Response once a callback asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, cast

from flask import Flask, Response, current_app
from werkzeug.datastructures import Headers
from werkzeug.local import LocalProxy

from . import body
from .filled import filled

#: The status line of a response whose status no callback has touched: setting 200 writes "200 OK".
UNTOUCHED = "200 Ok"


def response_class() -> type[Response]:
    """The class of responses of the application that serves this request."""
    return cast("LocalProxy[Flask]", current_app)._get_current_object().response_class


def construct(fields: Mapping[str, str], payload: body.Payload | None, status: int | str, *, shortcut: bool = True) -> Response:
    """A response without Flask's default Content-Type; `shortcut`: filled directly if the class is Flask's own and the body at hand.

    Raises ValueError for a line break in a field.
    """
    made_by = response_class()
    if shortcut and made_by is Response and (payload is None or isinstance(payload, bytes)) and isinstance(status, int):
        return filled(fields, payload or b"", status)
    response = made_by(payload if isinstance(payload, bytes) else None, status, fields)
    if "Content-Type" not in fields:
        response.headers.remove("Content-Type")
    if payload is not None and not isinstance(payload, bytes):
        body.fill(response, payload)
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
    class Exact(base):  # type: ignore[misc]  # whichever class the application has
        rewritten = frozenset(("content-location",))  # of a FilledResponse

        def get_wsgi_headers(self, environ: dict[str, Any]) -> Headers:
            headers: Headers = super().get_wsgi_headers(environ)
            if headers is not self.headers and "Location" in self.headers:
                headers["Location"] = self.headers["Location"]
            return headers

    Exact.__name__ = base.__name__
    return Exact


class ResponseBuilder:
    """Collects header fields and a body.

    Making a Response is the largest single cost of a request, so it is made once, at the end, unless a callback wants
    the object before. A builder does not know its resource: a reference cycle in every request would keep the memory of
    all of them until the garbage collector comes by.
    """

    _payload: body.Payload | None = None
    _response: Response | None = None

    def __init__(self, *, shortcut: bool = True) -> None:
        self._shortcut = shortcut
        # The fields that the machine set, until there is a Response to hold them.
        self._fields: dict[str, str] = {}

    @property
    def response(self) -> Response:
        """The response for callbacks to touch; its status line is UNTOUCHED until they do."""
        if self._response is None:
            self._response = construct(self._fields, self._payload, UNTOUCHED, shortcut=False)
        return self._response

    @property
    def touched(self) -> Response | None:
        """The response, if a callback has asked for it."""
        return self._response

    def finished(self, status: int) -> Response:
        """The response as it is now, with ``status``."""
        if self._response is None:
            response = construct(self._fields, self._payload, status, shortcut=self._shortcut)
            return with_exact_location(response) if "Location" in self._fields else response
        self._response.status_code = status
        return with_exact_location(self._response)

    # -- header fields

    def set_field(self, name: str, value: str) -> None:
        """Set a field in place of what it had. Raises ValueError for a line break, now or at the latest at the end."""
        if self._response is None:
            self._fields[name] = value
        else:
            self._response.headers[name] = value

    def drop_fields(self, *names: str) -> None:
        for name in names:
            if self._response is None:
                self._fields.pop(name, None)
            else:
                self._response.headers.remove(name)

    def field(self, name: str) -> str | None:
        return self._fields.get(name) if self._response is None else self._response.headers.get(name)

    def fields(self) -> Iterable[tuple[str, str]]:
        return self._fields.items() if self._response is None else self._response.headers

    # -- body

    def write(self, value: object, media_type: str | None, charset: str | None) -> None:
        """Make the body out of what a callback returned; with None, what is there stays. Raises as :meth:`encode`."""
        if value is None:
            return
        if self._response is None and self._payload is None:
            self._payload = body.encode(value, media_type or "", charset)
        else:
            self.put_body(self.encode(value, media_type, charset))

    def encode(self, value: object, media_type: str | None, charset: str | None) -> body.Payload:
        """A body for the negotiated type and charset. Raises TypeError for a value that none can be made of."""
        # What a callback wrote into Content-Type counts before what was negotiated.
        written = None if self._response is None else self._response.mimetype
        return body.encode(value, (written or media_type or "").lower(), charset)

    def put_body(self, payload: body.Payload) -> None:
        """Make ``payload`` the body, in place of what was there."""
        if self._response is None:
            body.close(self._payload)
            self._payload = payload
        else:
            body.fill(self._response, payload)

    def drop_body(self) -> None:
        """Take the body away and release what it holds open."""
        body.close(self.take_body())

    def take_body(self) -> Any:
        """Detach the body: as bytes, or as the iterable it is."""
        response = self._response
        if response is None:
            taken, self._payload = self._payload, None
            return b"" if taken is None else taken
        payload = response.get_data() if response.is_sequence else response.response
        response.response = []
        response.headers.remove("Content-Length")
        return payload

    def keep_length_only(self) -> None:
        """Release a stream that will not be sent, as for HEAD, and keep the fields that describe it."""
        if self._response is None and (self._payload is None or isinstance(self._payload, bytes)):
            return
        response = self.response
        if not response.is_sequence:
            body.close(response.response)
            # Not a list: Werkzeug would measure it, and declare a length of 0.
            response.response = iter(())

    def has_body(self) -> bool:
        """Whether some callback put at least one byte, or a stream."""
        if self._response is None:
            return self._payload is not None and self._payload != b""
        iterable = self._response.response
        return any(map(len, iterable)) if isinstance(iterable, (list, tuple)) else True
