"""In which order are the questions asked? (RFC 9110 §13.2 and the lineage of webmachine)

The charts of docs/resource.md, one function each. A step answers with the status that ends the request, or 0 to go
on; a chart answers with the status of the response.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Response

from .conditional import preconditions
from .exchange import Exchange
from .finish import carry, finish, stop
from .methods import WRITES
from .ranges import ranged
from .stop import Stop, SwitchHandler
from .write import content_types_accepted, representation, success, write


def respond(x: Exchange) -> Response:
    """Run the machine; a callback may leave it early, any other exception is Flask's business."""
    try:
        try:
            return finish(x, decide(x))
        except Stop as left:
            return stop(x, left.response)
        except SwitchHandler as left:
            # Not the exception itself: with its traceback, which has this frame, it would make a reference cycle.
            handler, args, kwargs = left.handler, left.handler_args, left.handler_kwargs
        return carry(x, handler(*args, **kwargs))
    except Exception:
        x.draft.drop_body()
        raise


def decide(x: Exchange) -> int:
    """S0 to N7, then the chart of a resource that exists or of one that is missing."""
    x.ask("init", None)
    for step in x.plan.steps:
        if status := step(x):
            return status
    x.resource.exists = exists = bool(x.ask("resource_exists", True))
    return existing(x) if exists else missing(x)


def existing(x: Exchange) -> int:
    """E1 to E3."""
    method = x.method
    if method in WRITES and (status := content_types_accepted(x)):
        return status
    if status := preconditions(x):
        return status
    return BY_METHOD.get(method, representation)(x)


def read(x: Exchange) -> int:
    """G1 to G6."""
    for step in x.plan.fields:
        step(x)
    if x.method == "GET" and x.units and "HTTP_RANGE" in x.environ:
        return ranged(x) or representation(x)
    x.provide()
    return representation(x)


def delete(x: Exchange) -> int:
    """D1 to D3, RFC 9110 §9.3.5."""
    if not x.ask("delete_resource", False):
        return 500
    return success(x) if x.ask("delete_completed", True) else 202


BY_METHOD: Mapping[str, Callable[[Exchange], int]] = {
    "GET": read,
    "HEAD": read,
    "PUT": write,
    "POST": write,
    "PATCH": write,
    "DELETE": delete,
}


def missing(x: Exchange) -> int:
    """M1 to M6."""
    if x.method == "PUT":
        return moved_permanently(x) or write_missing(x)
    gone = 404
    if x.ask("previously_existed", False):
        gone = 410
        moved = moved_permanently(x) or moved_temporarily(x)
        if moved:
            return moved
    if x.method == "POST" and x.ask("allow_missing_post", True):
        return write_missing(x)
    return gone


def moved_permanently(x: Exchange) -> int:
    """M1 and M3, RFC 9110 §15.4.2."""
    return _moved(x, "moved_permanently", 301)


def moved_temporarily(x: Exchange) -> int:
    """M4, RFC 9110 §15.4.8."""
    return _moved(x, "moved_temporarily", 307)


def _moved(x: Exchange, callback: str, status: int) -> int:
    uri = x.ask(callback, None)
    if uri is None or uri is False:
        return 0
    if not isinstance(uri, str):
        raise TypeError(f"{callback} must return a URI as str, or None, not {uri!r}")
    x.draft.set_field("Location", uri)
    return status


def write_missing(x: Exchange) -> int:
    """W1, RFC 9110 §13.1.1: If-Match cannot hold, whatever it says, where there is no representation."""
    return content_types_accepted(x) or (412 if "HTTP_IF_MATCH" in x.environ else write(x))
