"""The state of one request on its way through the machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

from flask import Request

from . import body
from .builder import ResponseBuilder
from .callbacks import DefinedCallbacks, as_declared
from .choice import Selection
from .range_field import Ranges


class StatefulResource(Protocol):
    """What the steps read and set of a resource; :class:`~.resource.Resource` says what each is."""

    head_as_get: ClassVar[bool]
    always_creates: ClassVar[frozenset[str]]
    request: Request
    media_type: str | None
    media_params: dict[str, str]
    language: str | None
    charset: str | None
    exists: bool
    range: Ranges | None

    def render_error(self, status: int) -> tuple[bytes | str, str]: ...


class RequestState:
    """One request: the resource that is asked, what it answered, and the response under construction."""

    selection: Selection
    """The entry of ``content_types_provided`` that negotiation chose (N1)."""
    chosen: Any = None
    """The provide or accept callback that negotiation chose."""
    units: Mapping[str, Any] = MappingProxyType({})
    """Range callbacks by unit in lower case (N5)."""
    varies: tuple[str, ...] = ()
    """Names for Vary (N1 to N3)."""

    def __init__(self, resource: StatefulResource, callbacks: DefinedCallbacks, builder: ResponseBuilder) -> None:
        self.resource = resource
        self.callbacks = callbacks
        self.builder = builder
        environ: dict[str, Any] = resource.request.environ
        self.environ = as_declared(environ, callbacks.readers) if callbacks.readers else environ
        # Not request.method: Werkzeug upper-cases it, and a method is case-sensitive (RFC 9110 §9.1).
        self.method: str = self.environ["REQUEST_METHOD"]
        self._answers: dict[str, Any] = {}

    def ask(self, name: str, default: Any) -> Any:
        """What the callback returns, or ``default`` when the class does not define it."""
        callback = self.callbacks.defined.get(name)
        return default if callback is None else callback(self.resource)

    def ask_once(self, name: str, read: Callable[[Any], Any]) -> Any:
        """What ``read`` makes of the callback's answer, remembered for later steps; None when not defined."""
        if name not in self._answers:
            callback = self.callbacks.defined.get(name)
            self._answers[name] = None if callback is None else read(callback(self.resource))
        return self._answers[name]

    def call(self, callback: Any) -> Any:
        """Call a provide, accept or range callback, given as a callable or as the name of an attribute."""
        return getattr(self.resource, callback)() if isinstance(callback, str) else callback()

    def provide(self) -> None:
        """G5: make the body with the chosen provide callback."""
        resource = self.resource
        self.builder.write(self.call(self.chosen), resource.media_type, resource.charset)

    def encode_part(self, value: object) -> body.Payload:
        """The body of one range, from what a range callback returned. Raises TypeError for any other type."""
        if not isinstance(value, (str, bytes, bytearray, memoryview, Iterator)):
            raise TypeError(f"a range callback must give str, bytes or an iterator of bytes, not {type(value).__name__}")
        resource = self.resource
        return self.builder.encode(value, resource.media_type, resource.charset)
