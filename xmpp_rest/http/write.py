"""PUT, POST and PATCH: chooses the accept callback, and reads the status off its answer (steps E1, W2 and W3, F)."""

from __future__ import annotations

from collections.abc import Sequence

from .encodings import ACCEPTED, UnknownEncoding, coding_of
from .fields import Malformed, parse_media_type
from .media import MediaType, comparable, read_accepted, types_of
from .state import RequestState
from .stop import Accepted, Created, SeeOther


def content_types_accepted(state: RequestState) -> int:
    """E1 and W1, RFC 9110 §15.5.16: choose the accept callback by the request's Content-Type, and know its Content-Encoding."""
    try:
        coding_of(state.environ.get("HTTP_CONTENT_ENCODING"))
    except UnknownEncoding:
        state.builder.set_field("Accept-Encoding", ACCEPTED)  # RFC 9110 §12.5.3
        return 415
    accepted = state.ask("content_types_accepted", None) or ()
    types = read_accepted(types_of(accepted))
    position = _first_match(types, state.environ.get("CONTENT_TYPE", ""))
    if position is not None:
        state.chosen = accepted[position][1]
        return 0
    names = ", ".join([str(entry) for entry in types if entry is not None])
    if names:
        state.builder.set_field("Accept", names)  # RFC 9110 §12.5.1
        if state.method == "PATCH":
            state.builder.set_field("Accept-Patch", names)  # RFC 5789 §3.1
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


def write(state: RequestState) -> int:
    """W2 and W3."""
    if state.method == "PUT" and state.ask("is_conflict", False):
        return 409
    answer = state.call(state.chosen)
    if answer is True:
        return _written(state)
    if answer is False:
        return 400
    if isinstance(answer, Accepted):
        return 202
    if state.method != "POST":
        raise TypeError(f"the accept callback of a {state.method} must return True, False or Accepted, not {answer!r}")
    return _referred(state, answer)


def _written(state: RequestState) -> int:
    """201 where a resource came to be (RFC 9110 §9.3.4, §9.3.3), else F1."""
    created = _is_new(state) and (state.method == "PUT" or state.builder.field("Location") is not None)
    return 201 if created else success_status(state)


def _is_new(state: RequestState) -> bool:
    return not state.resource.exists or state.method in state.resource.always_creates


def _referred(state: RequestState, answer: object) -> int:
    match answer:
        case Created(uri=str(uri)):
            status = 201
        case SeeOther(uri=str(uri)):
            status = 303
        case str(uri):
            status = 201 if _is_new(state) else 303
        case _:
            raise TypeError(f"the accept callback of a POST must return True, False, Accepted, Created, SeeOther or a URI, not {answer!r}")
    state.builder.set_field("Location", uri)
    return status


def success_status(state: RequestState) -> int:
    """F1."""
    return representation_status(state) if state.builder.has_body() else 204


def representation_status(state: RequestState) -> int:
    """F2 and G6, RFC 9110 §15.4.1."""
    return 300 if state.ask("multiple_choices", False) else 200
