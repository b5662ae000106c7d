"""What becomes of PUT, POST, PATCH and DELETE, and of a resource that is missing? (steps E1, M, W, F, D)

Each chart answers with the status of the response.
"""

from __future__ import annotations

from typing import Any

from .exchange import Exchange
from .fields import Malformed, parse_media_type
from .media import comparable, read_accepted, types_of
from .outcome import Created, SeeOther


def content_types_accepted(x: Exchange) -> int:
    """E1 and W1, RFC 9110 §15.5.16: choose the accept callback by the request's Content-Type."""
    accepted = x.ask("content_types_accepted", None) or ()
    types = read_accepted(types_of(accepted))
    position = _first_match(types, x.environ.get("CONTENT_TYPE", ""))
    if position is not None:
        x.chosen = accepted[position][1]
        return 0
    names = ", ".join([str(entry) for entry in types if entry is not None])
    if names:
        x.draft.set_field("Accept", names)  # RFC 9110 §12.5.1
        if x.method == "PATCH":
            x.draft.set_field("Accept-Patch", names)  # RFC 5789 §3.1
    return 415


def _first_match(types: Any, field: str) -> int | None:
    """The first entry that accepts a Content-Type field; None when it is missing or malformed and that matters."""
    if not field.strip(" \t"):
        return next((position for position, entry in enumerate(types) if entry is None), None)
    try:
        main, sub, params = parse_media_type(field)
    except Malformed:
        return None
    if main == "multipart":
        params = tuple(pair for pair in params if pair[0] != "boundary")  # it differs from request to request
    given = comparable(params)
    for position, entry in enumerate(types):
        if entry is None:
            return position
        same = (entry.type, entry.subtype) == (main, sub)
        if same and (entry.params == "*" or comparable(entry.params) == given):
            return position
    return None


# -- the resource is missing


def missing(x: Exchange) -> int:
    """M1 to M6 and W1."""
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


# -- writing


def write(x: Exchange) -> int:
    """W2 and W3."""
    if x.method == "PUT" and x.ask("is_conflict", False):
        return 409
    answer = x.call(x.chosen)
    if answer is True:
        return _written(x)
    if answer is False:
        return 400
    if x.method != "POST":
        raise TypeError(f"the accept callback of a {x.method} must return True or False, not {answer!r}")
    return _referred(x, answer)


def _written(x: Exchange) -> int:
    """201 where a resource came to be (RFC 9110 §9.3.4, §9.3.3), else F1."""
    created = not x.resource.exists and (x.method == "PUT" or x.draft.field("Location") is not None)
    return 201 if created else success(x)


def _referred(x: Exchange, answer: object) -> int:
    match answer:
        case Created(uri=str(uri)):
            status = 201
        case SeeOther(uri=str(uri)):
            status = 303
        case str(uri):
            status = 303 if x.resource.exists else 201
        case _:
            raise TypeError(
                f"the accept callback of a POST must return True, False, Created, SeeOther or a URI, not {answer!r}"
            )
    x.draft.set_field("Location", uri)
    return status


def success(x: Exchange) -> int:
    """F1."""
    return representation(x) if x.draft.has_body() else 204


def representation(x: Exchange) -> int:
    """F2 and G6, RFC 9110 §15.4.1."""
    return 300 if x.ask("multiple_choices", False) else 200


# -- DELETE


def delete(x: Exchange) -> int:
    """D1 to D3, RFC 9110 §9.3.5."""
    if not x.ask("delete_resource", False):
        return 500
    return success(x) if x.ask("delete_completed", True) else 202
