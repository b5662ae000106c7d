"""Completes the response once its status is known (http-state-machine §8, RFC 9110 §15)."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app

from .builder import UNTOUCHED
from .methods import READS
from .state import RequestState

# RFC 9110 §15.3.5, §15.4.5: these end with the header section.
_BODILESS = frozenset({204, 304})
_NEVER_CARRIED = frozenset({"content-type", "content-length"})


def finish(state: RequestState, status: int) -> Response:
    """The response that the machine sends with ``status``."""
    if status >= 400 and not state.builder.has_body():
        explain(state, status)
    return complete(state, status)


def explain(state: RequestState, status: int) -> None:
    """An explanation by the class's own ``render_error``; it is in no negotiated language."""
    content, content_type = state.resource.render_error(status)
    state.builder.drop_fields("Content-Language")
    state.builder.set_field("Content-Type", content_type)
    state.builder.put_body(content.encode() if isinstance(content, str) else bytes(content))


def complete(state: RequestState, status: int) -> Response:
    """Without the fields that describe a body where there is none (RFC 9110 §6.4, §8.3)."""
    if status in _BODILESS:
        state.builder.drop_body()
        state.builder.drop_fields("Content-Type")
        if status == 304:
            state.builder.drop_fields("Content-Language", "Content-Range")
    elif not (status == 200 and state.method in READS) and not state.builder.has_body():
        state.builder.drop_fields("Content-Type")
    if state.method == "HEAD":
        state.builder.keep_length_only()
    return state.builder.finished(status)


def stopped(state: RequestState, given: Any) -> Response:
    """What ``Stop`` asks for: the given response, or the one under construction as it stands."""
    if given is not None:
        return merge(state, given)
    touched = state.builder.touched
    if touched is not None and touched.status != UNTOUCHED:
        return complete(state, touched.status_code)
    return complete(state, 200 if state.builder.has_body() else 204)


def merge(state: RequestState, given: Any) -> Response:
    """Anything a Flask view may return, with the header fields collected so far that it does not have itself.

    A body collected so far is not sent, and released.
    """
    response = current_app.make_response(given)
    if response is not state.builder.touched:
        state.builder.drop_body()
    if response.status == UNTOUCHED:
        response.status_code = 200
    named = {name.lower() for name, _ in response.headers} | _NEVER_CARRIED
    for name, value in list(state.builder.fields()):
        if name.lower() not in named:
            response.headers.add(name, value)
    if response.status_code in _BODILESS:
        response.headers.remove("Content-Type")
        response.headers.remove("Content-Length")
    return response
