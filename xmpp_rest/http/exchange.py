"""What is known of one request, and what has been collected for its response?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flask import Response, current_app
from werkzeug.datastructures import Headers

from . import body
from .callbacks import Callback

if TYPE_CHECKING:
    from .media import MediaType
    from .resource import Resource

#: The status line of a response whose status no callback has touched: setting 200 writes "200 OK".
UNTOUCHED = "200 Ok"


class Exchange:
    """One request on its way through the machine, and the response under construction.

    The Response is made when a callback asks for it or at the very end: its constructor is the largest single cost.
    """

    __slots__ = ("_fields", "_memory", "_payload", "_response", "chosen", "defined", "entry", "environ", "method", "resource",
                 "units", "varies")  # fmt: skip

    def __init__(self, resource: Resource, defined: Mapping[str, Callback]) -> None:
        self.resource = resource
        self.defined = defined
        self.environ: dict[str, Any] = resource.request.environ
        self.method: str = resource.request.method
        #: The provide or accept callback that negotiation chose.
        self.chosen: Any = None
        #: The entry of ``content_types_provided`` that negotiation chose (N1).
        self.entry: MediaType
        #: Range units by lower-case name with their callbacks (N5).
        self.units: dict[str, Any] = {}
        #: Names for Vary (N1 to N3).
        self.varies: list[str] = []
        self._fields = Headers()
        self._memory: dict[str, Any] | None = None
        self._payload: body.Payload | None = None
        self._response: Response | None = None

    # -- callbacks

    def ask(self, name: str, default: Any) -> Any:
        """What the callback returns, or ``default`` when the class does not define it."""
        callback = self.defined.get(name)
        return default if callback is None else callback(self.resource)

    def ask_once(self, name: str) -> Any:
        """What the callback returns, None when not defined, remembered for later steps."""
        if name not in self.defined:
            return None
        if self._memory is None:
            self._memory = {}
        if name not in self._memory:
            self._memory[name] = self.defined[name](self.resource)
        return self._memory[name]

    def remember(self, name: str, make: Callable[[Exchange], Any]) -> Any:
        """What ``make`` returns, made once."""
        if self._memory is None:
            self._memory = {}
        if name not in self._memory:
            self._memory[name] = make(self)
        return self._memory[name]

    def call(self, callback: Any) -> Any:
        """Call a provide, accept or range callback, given as a callable or as the name of an attribute."""
        return getattr(self.resource, callback)() if isinstance(callback, str) else callback()

    # -- header fields

    @property
    def fields(self) -> Headers:
        """The header fields of the response under construction."""
        return self._fields if self._response is None else self._response.headers

    def drop_fields(self, *names: str) -> None:
        fields = self.fields
        for name in names:
            fields.remove(name)

    # -- body

    def put_body(self, payload: body.Payload) -> None:
        """Make ``payload`` the body, in place of what was there."""
        if self._response is None:
            body.close(self._payload)
            self._payload = payload
        else:
            _fill(self._response, payload)

    def drop_body(self) -> None:
        """Take the body away and release what it holds open."""
        if self._response is None:
            body.close(self._payload)
            self._payload = None
        else:
            body.close(self._response.response)
            self._response.response = []
        self.drop_fields("Content-Length")

    def has_body(self) -> bool:
        """Whether some callback put at least one byte, or a stream."""
        if self._response is None:
            return self._payload is not None and self._payload != b""
        iterable = self._response.response
        return any(map(len, iterable)) if isinstance(iterable, (list, tuple)) else True

    def take_body(self) -> Any:
        """Detach the body: as bytes, or as the iterable it is."""
        if self._response is None:
            taken, self._payload = self._payload, None
            return b"" if taken is None else taken
        payload = self._response.get_data() if self._response.is_sequence else self._response.response
        self._response.response = []
        self.drop_fields("Content-Length")
        return payload

    def set_body(self, value: object) -> None:
        """Make the body out of what a callback returned."""
        self.put_body(body.encode(value, self._media_type(), self.resource.charset))

    def encode_part(self, value: object) -> body.Payload:
        """The body of one range, from what a range callback returned. Raises TypeError for anything unmeasured."""
        if not isinstance(value, (str, bytes, bytearray, memoryview, Iterator)):
            raise TypeError(f"a range callback must give str, bytes or an iterator of bytes, not {type(value).__name__}")
        return body.encode(value, self._media_type(), self.resource.charset)

    def provide(self) -> None:
        """G5: make the body with the chosen provide callback; with None, what was put on the response stays."""
        value = self.call(self.chosen)
        if value is not None:
            self.set_body(value)

    def _media_type(self) -> str:
        """The type that the body goes under: what a callback wrote, else what was negotiated."""
        written = None if self._response is None else self._response.mimetype
        return (written or self.resource.media_type or "").lower()

    # -- response

    @property
    def response(self) -> Response:
        """The response under construction, for callbacks to touch."""
        if self._response is None:
            response = current_app.response_class(status=UNTOUCHED)
            # The constructor adds Flask's default Content-Type, which must not leak.
            response.headers = self._fields
            self._response = response
            if self._payload is not None:
                _fill(response, self._payload)
        return self._response

    @property
    def status_touched(self) -> int | None:
        """The status that a callback gave the response, if one did."""
        untouched = self._response is None or self._response.status == UNTOUCHED
        return None if untouched or self._response is None else self._response.status_code

    def finished(self, status: int) -> Response:
        """The response as it is, with ``status``."""
        response = self._response
        if response is not None:
            response.status_code = status
            return response
        fields, payload = self._fields, self._payload
        typed = "Content-Type" in fields
        response = current_app.response_class(
            payload if isinstance(payload, bytes) else None, status=status, headers=fields
        )
        if not typed:
            fields.remove("Content-Type")
        if payload is not None and not isinstance(payload, bytes):
            _fill(response, payload)
        return response


def _fill(response: Response, payload: body.Payload) -> None:
    body.close(response.response)
    if isinstance(payload, bytes):
        response.set_data(payload)
        return
    response.response = payload
    length = body.size(payload)
    if length is None:
        response.headers.remove("Content-Length")
    else:
        response.headers["Content-Length"] = str(length)
