"""Which callback takes the content of PUT, POST and PATCH, and what does its answer mean? (steps E1, W2 and W3, F)"""

from __future__ import annotations

from collections.abc import Sequence

from .encodings import ACCEPTED, UnknownEncoding, coding_of
from .exchange import Exchange
from .fields import Malformed, parse_media_type
from .media import MediaType, comparable, read_accepted, types_of
from .stop import Created, SeeOther


def content_types_accepted(x: Exchange) -> int:
    """E1 and W1, RFC 9110 §15.5.16: choose the accept callback by the request's Content-Type, and know its Content-Encoding."""
    try:
        coding_of(x.environ.get("HTTP_CONTENT_ENCODING"))
    except UnknownEncoding:
        x.draft.set_field("Accept-Encoding", ACCEPTED)  # RFC 9110 §12.5.3
        return 415
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


def _first_match(types: Sequence[MediaType | None], field: str) -> int | None:
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
            raise TypeError(f"the accept callback of a POST must return True, False, Created, SeeOther or a URI, not {answer!r}")
    x.draft.set_field("Location", uri)
    return status


def success(x: Exchange) -> int:
    """F1."""
    return representation(x) if x.draft.has_body() else 204


def representation(x: Exchange) -> int:
    """F2 and G6, RFC 9110 §15.4.1."""
    return 300 if x.ask("multiple_choices", False) else 200
