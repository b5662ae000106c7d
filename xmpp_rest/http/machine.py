"""In which order are the questions asked? (RFC 9110 §13.2 and the lineage of webmachine)

A step answers with the status that ends the request, or 0 to go on; a chart answers with the status of the response.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Response

from .conditional import preconditions
from .exchange import Exchange
from .finish import carry, finish, stop
from .methods import WRITES
from .outcome import Stop, SwitchHandler
from .read import read
from .write import content_types_accepted, delete, missing, representation, write


def respond(x: Exchange) -> Response:
    """Run the machine; a callback may leave it early, any other exception is Flask's business."""
    try:
        return finish(x, decide(x))
    except Stop as left:
        return stop(x, left.response)
    except SwitchHandler as left:
        # Not the exception itself: with its traceback, which has this frame, it would make a reference cycle.
        handler, args, kwargs = left.handler, left.handler_args, left.handler_kwargs
    except Exception:
        x.draft.drop_body()
        raise
    return carry(x, handler(*args, **kwargs))


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


BY_METHOD: Mapping[str, Callable[[Exchange], int]] = {
    "GET": read,
    "HEAD": read,
    "PUT": write,
    "POST": write,
    "PATCH": write,
    "DELETE": delete,
}
