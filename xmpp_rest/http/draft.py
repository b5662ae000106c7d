"""What has been collected for the response so far?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import Response

from . import body
from .construction import construct, empty_response, with_exact_location


class Draft:
    """The response under construction: header fields, a body, and the Response once a callback asks for it.

    Making a Response is the largest single cost of a request, so it is made once, at the end, unless a callback wants
    the object before. A draft does not know its resource: a reference cycle in every request would keep the memory of
    all of them until the garbage collector comes by.
    """

    _payload: body.Payload | None = None
    _response: Response | None = None

    def __init__(self) -> None:
        # The fields that the machine set, until there is a Response to hold them.
        self._fields: dict[str, str] = {}

    @property
    def response(self) -> Response:
        """The response for callbacks to touch; its status line is UNTOUCHED until they do."""
        if self._response is None:
            self._response = response = empty_response(self._fields)
            if self._payload is not None:
                body.fill(response, self._payload)
        return self._response

    @property
    def touched(self) -> Response | None:
        """The response, if a callback has asked for it."""
        return self._response

    def finished(self, status: int, *, shortcut: bool) -> Response:
        """The response as it is now, with ``status``; ``shortcut`` as in :func:`construct`."""
        response = self._response
        if response is None:
            if "Location" in self._fields:
                return with_exact_location(construct(self._fields, self._payload, status, shortcut=shortcut))
            return construct(self._fields, self._payload, status, shortcut=shortcut)
        response.status_code = status
        return with_exact_location(response)

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
