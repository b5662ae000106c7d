"""Resource: the HTTP state machine as a base class of Flask views.

A class derived from :class:`Resource` answers questions about itself through callbacks; the machine asks them in a
fixed order and makes one correct response of the answers. docs/resource.md has the diagram and the callbacks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, cast

from flask import Request, Response, request
from werkzeug.local import LocalProxy

from .builder import ResponseBuilder
from .machine import callbacks_of, respond
from .methods import REGISTERED_METHODS
from .problem import render_problem
from .range_field import Ranges
from .state import RequestState
from .stop import Accepted, Created, SeeOther, Stop, SwitchHandler

__all__ = ["Accepted", "Created", "Resource", "SeeOther", "Stop", "SwitchHandler"]


def _ignored(_sent: str) -> str:
    return ""


class Resource:
    """A resource of HTTP. Derive from it, define the callbacks that differ from their defaults, route ``as_view``."""

    #: Every method of the IANA registry: the router must let them through for the machine to answer 405 or 501.
    route_methods: ClassVar[frozenset[str]] = REGISTERED_METHODS

    # -- switches

    #: Whether HEAD is allowed wherever GET is (RFC 9110 §9.1), though the class does not name it.
    head_as_get: ClassVar[bool] = False
    #: Header fields that the machine reads as if they had not been sent, such as "Accept", whatever the next table says.
    ignored_fields: ClassVar[frozenset[str]] = frozenset()
    #: Header field → what the machine reads in place of what was sent ("" where it was not); "" means no such field.
    field_readers: ClassVar[Mapping[str, Callable[[str], str]]] = {}
    #: Methods that always create the resource, whatever was there: 201, for POST with ``Location``.
    always_creates: ClassVar[frozenset[str]] = frozenset()
    #: Whether a finished response may be filled without running its constructor, which saves 8 µs; see filled.py.
    response_shortcut: ClassVar[bool] = True

    # -- what an instance has

    request: Request
    #: URL arguments of the matched rule.
    args: dict[str, Any]
    #: Extra members for the error body, such as ``detail``.
    problem: dict[str, Any]
    #: The negotiated media type, lower case, without parameters.
    media_type: str | None = None
    #: The parameters of the negotiated media type.
    media_params: dict[str, str]
    #: The negotiated language tag, spelled as the resource spells it.
    language: str | None = None
    #: The negotiated charset, spelled as the resource spells it.
    charset: str | None = None
    #: Whether ``resource_exists`` was true; False before it was asked.
    exists: bool = False
    #: The unit and the ranges that are asked for, once they are known to count.
    range: Ranges | None = None

    _builder: ResponseBuilder

    @property
    def response(self) -> Response:
        """The response under construction: add fields, set a body; the machine decides the status."""
        return self._builder.response

    def set_field(self, name: str, value: str) -> None:
        """Set a header field of the response, as `response.headers[name] = value` does, but without making the response before its end.

        Raises ValueError for a line break, now or when the response is made.
        """
        self._builder.set_field(name, value)

    def set_body(self, value: object) -> None:
        """Put a body on the response, by the rules for what a provide callback returns.

        ``value`` is bytes, str, JSON under a JSON type, a Path or an iterator of bytes; None leaves the body as it is.
        Raises TypeError for anything else.
        """
        self._builder.write(value, self.media_type, self.charset)

    def render_error(self, status: int) -> tuple[bytes | str, str]:
        """The body of an error that no callback gave a body, and its content type: a problem document (RFC 9457)."""
        if status == 405:
            allowed = self._builder.field("Allow") or "none"
            self.problem.setdefault("detail", f"{self.request.method[:40]} is not among the methods of this resource: {allowed}")
        return render_problem(status, self.problem)

    @classmethod
    def as_view(cls, name: str, *class_args: Any, **class_kwargs: Any) -> Callable[..., Response]:
        """A view function for ``add_url_rule`` that makes one instance for each request and runs the machine.

        The callbacks are those that the class has now; the arguments after ``name`` go to its constructor.
        """
        callbacks = callbacks_of(cls, Resource, dict(cls.field_readers) | dict.fromkeys(cls.ignored_fields, _ignored))

        def view(**args: Any) -> Response:
            resource = cls(*class_args, **class_kwargs)
            resource.request = cast("LocalProxy[Request]", request)._get_current_object()
            resource.args = args
            resource.problem = {}
            resource.media_params = {}
            resource._builder = builder = ResponseBuilder(shortcut=cls.response_shortcut)
            return respond(RequestState(resource, callbacks, builder))

        view.__name__ = view.__qualname__ = name
        view.__doc__ = cls.__doc__
        view.__module__ = cls.__module__
        # What Flask's router looks for on a view function.
        view.__dict__.update(view_class=cls, methods=cls.route_methods, provide_automatic_options=False)
        return view
