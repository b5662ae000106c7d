"""What does the response look like once its status is known? (http-state-machine §8, RFC 9110 §15)"""

from __future__ import annotations

from typing import Any

from flask import Response, current_app

from .construction import UNTOUCHED
from .exchange import Exchange
from .methods import READS

# RFC 9110 §15.3.5, §15.4.5: these end with the header section.
_BODILESS = frozenset({204, 304})
_NEVER_CARRIED = frozenset({"content-type", "content-length"})


def finish(x: Exchange, status: int) -> Response:
    """The response that the machine sends with ``status``."""
    if status >= 400 and not x.draft.has_body():
        error(x, status)
    return tidy(x, status)


def error(x: Exchange, status: int) -> None:
    """An explanation by the class's own ``render_error``; it is in no negotiated language."""
    content, content_type = x.resource.render_error(status)
    x.draft.drop_fields("Content-Language")
    x.draft.set_field("Content-Type", content_type)
    x.draft.put_body(content.encode() if isinstance(content, str) else bytes(content))


def tidy(x: Exchange, status: int) -> Response:
    """Without the fields that describe a body where there is none (RFC 9110 §6.4, §8.3)."""
    if status in _BODILESS:
        x.draft.drop_body()
        x.draft.drop_fields("Content-Type")
        if status == 304:
            x.draft.drop_fields("Content-Language", "Content-Range")
    elif not (status == 200 and x.method in READS) and not x.draft.has_body():
        x.draft.drop_fields("Content-Type")
    if x.method == "HEAD":
        x.draft.keep_length_only()
    return x.draft.finished(status, shortcut=x.plan.shortcut)


def stop(x: Exchange, given: Any) -> Response:
    """What ``Stop`` asks for: the given response, or the one under construction as it stands."""
    if given is not None:
        return carry(x, given)
    touched = x.draft.touched
    if touched is not None and touched.status != UNTOUCHED:
        return tidy(x, touched.status_code)
    return tidy(x, 200 if x.draft.has_body() else 204)


def carry(x: Exchange, given: Any) -> Response:
    """Anything a Flask view may return, with the header fields collected so far that it does not have itself.

    A body collected so far is not sent, and released.
    """
    response = current_app.make_response(given)
    if response is not x.draft.touched:
        x.draft.drop_body()
    if response.status == UNTOUCHED:
        response.status_code = 200
    named = {name.lower() for name, _ in response.headers} | _NEVER_CARRIED
    for name, value in list(x.draft.fields()):
        if name.lower() not in named:
            response.headers.add(name, value)
    if response.status_code in _BODILESS:
        response.headers.remove("Content-Type")
        response.headers.remove("Content-Length")
    return response
