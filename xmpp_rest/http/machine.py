"""The order of the steps (RFC 9110 §13.2 and the lineage of webmachine).

The charts of docs/resource.md, one function each. A step answers with the status that ends the request, or 0 to go
on; a chart answers with the status of the response.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache

from flask import Response

from . import conditional, negotiation, start
from .callbacks import DefinedCallbacks, defined_callbacks, environ_key, needed
from .conditional import preconditions
from .finish import finish, merge, stopped
from .methods import WRITES
from .ranges import ranged
from .state import RequestState
from .stop import Stop, SwitchHandler
from .write import content_types_accepted, representation_status, success_status, write


def callbacks_of(cls: type, root: type, readers: Mapping[str, Callable[[str], str]]) -> DefinedCallbacks:
    """The callbacks that ``cls`` has from anywhere but ``root``, and the steps that they make necessary.

    ``readers``: header field → what the machine reads in place of what was sent.
    """
    return replace(_callbacks_of(cls, root), readers=tuple((environ_key(field), reader) for field, reader in readers.items()))


@lru_cache(maxsize=1024)
def _callbacks_of(cls: type, root: type) -> DefinedCallbacks:
    """As above, without readers: 40 µs, and the same for each gateway of a process."""
    defined = defined_callbacks(cls, root)
    return DefinedCallbacks(defined, needed(start.STEPS + negotiation.STEPS, defined), needed(conditional.STEPS, defined), readers=())


def respond(state: RequestState) -> Response:
    """Run the machine; a callback may leave it early, any other exception is Flask's business."""
    try:
        try:
            return finish(state, decide(state))
        except Stop as left:
            return stopped(state, left.response)
        except SwitchHandler as left:
            # Not the exception itself: with its traceback, which has this frame, it would make a reference cycle.
            handler, args, kwargs = left.handler, left.handler_args, left.handler_kwargs
        return merge(state, handler(*args, **kwargs))
    except Exception:
        state.builder.drop_body()
        raise


def decide(state: RequestState) -> int:
    """S0 to N7, then the chart of a resource that exists or of one that is missing."""
    state.ask("init", None)
    for step in state.callbacks.steps:
        if status := step(state):
            return status
    state.resource.exists = exists = bool(state.ask("resource_exists", True))
    return existing(state) if exists else missing(state)


def existing(state: RequestState) -> int:
    """E1 to E3."""
    method = state.method
    if method in WRITES and (status := content_types_accepted(state)):
        return status
    if status := preconditions(state):
        return status
    return BY_METHOD.get(method, representation_status)(state)


def read(state: RequestState) -> int:
    """G1 to G6."""
    for step in state.callbacks.fields:
        step(state)
    if state.method == "GET" and state.units and "HTTP_RANGE" in state.environ:
        return ranged(state) or representation_status(state)
    state.provide()
    return representation_status(state)


def delete(state: RequestState) -> int:
    """D1 to D3, RFC 9110 §9.3.5."""
    if not state.ask("delete_resource", False):
        return 500
    return success_status(state) if state.ask("delete_completed", True) else 202


BY_METHOD: Mapping[str, Callable[[RequestState], int]] = {
    "GET": read,
    "HEAD": read,
    "PUT": write,
    "POST": write,
    "PATCH": write,
    "DELETE": delete,
}


def missing(state: RequestState) -> int:
    """M1 to M6."""
    if state.method == "PUT":
        return moved_permanently(state) or write_missing(state)
    gone = 404
    if state.ask("previously_existed", False):
        gone = 410
        moved = moved_permanently(state) or moved_temporarily(state)
        if moved:
            return moved
    if state.method == "POST" and state.ask("allow_missing_post", True):
        return write_missing(state)
    return gone


def moved_permanently(state: RequestState) -> int:
    """M1 and M3, RFC 9110 §15.4.2."""
    return _moved(state, "moved_permanently", 301)


def moved_temporarily(state: RequestState) -> int:
    """M4, RFC 9110 §15.4.8."""
    return _moved(state, "moved_temporarily", 307)


def _moved(state: RequestState, callback: str, status: int) -> int:
    uri = state.ask(callback, None)
    if uri is None or uri is False:
        return 0
    if not isinstance(uri, str):
        raise TypeError(f"{callback} must return a URI as str, or None, not {uri!r}")
    state.builder.set_field("Location", uri)
    return status


def write_missing(state: RequestState) -> int:
    """W1, RFC 9110 §13.1.1: If-Match cannot hold, whatever it says, where there is no representation."""
    return content_types_accepted(state) or (412 if "HTTP_IF_MATCH" in state.environ else write(state))
