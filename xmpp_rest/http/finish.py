"""What does the response look like once its status is known? (section 8 of the state machine, RFC 9110 §15)"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from flask import Response, current_app
from werkzeug.datastructures import Headers

from .exchange import UNTOUCHED, Exchange
from .methods import READS

# RFC 9110 §15.3.5, §15.4.5: these end with the header section.
_BODILESS = frozenset({204, 304})
_NEVER_CARRIED = frozenset({"content-type", "content-length"})


def finish(x: Exchange, status: int) -> Response:
    """The response that the machine sends with ``status``."""
    if status >= 400 and not x.has_body():
        error(x, status)
    return tidy(x, status)


def error(x: Exchange, status: int) -> None:
    """An explanation by the class's own ``render_error``; it is in no negotiated language."""
    content, content_type = x.resource.render_error(status)
    x.drop_fields("Content-Language")
    x.fields["Content-Type"] = content_type
    x.put_body(content.encode() if isinstance(content, str) else bytes(content))


def tidy(x: Exchange, status: int) -> Response:
    """Without the fields that describe a body where there is none (RFC 9110 §6.4, §8.3)."""
    if status in _BODILESS:
        x.drop_body()
        x.drop_fields("Content-Type")
        if status == 304:
            x.drop_fields("Content-Language", "Content-Range")
    elif not (status == 200 and x.method in READS) and not x.has_body():
        x.drop_fields("Content-Type")
    return exact_location(x.finished(status))


def stop(x: Exchange, given: Any) -> Response:
    """What ``Stop`` asks for: the given response, or the one under construction as it stands."""
    if given is None:
        touched = x.status_touched
        return tidy(x, touched if touched is not None else 200 if x.has_body() else 204)
    return carry(x, given)


def carry(x: Exchange, given: Any) -> Response:
    """Anything a Flask view may return, with the header fields collected so far that it does not have itself."""
    response = current_app.make_response(given)
    if response.status == UNTOUCHED:
        response.status_code = 200
    named = {name.lower() for name, _ in response.headers} | _NEVER_CARRIED
    for name, value in list(x.fields):
        if name.lower() not in named:
            response.headers.add(name, value)
    if response.status_code in _BODILESS:
        response.headers.remove("Content-Type")
        response.headers.remove("Content-Length")
    return response


def exact_location(response: Response) -> Response:
    """Let ``Location`` out as it was returned: Werkzeug would re-write it (drop an empty query, quote brackets)."""
    location = response.headers.get("Location")
    if location is not None and location.isascii():
        made_by: Any = type(response)
        response.__class__ = _exact(made_by)
    return response


@lru_cache(maxsize=16)
def _exact(base: Any) -> Any:
    class Exact(base):  # type: ignore[misc]
        def get_wsgi_headers(self, environ: dict[str, Any]) -> Headers:
            headers: Headers = super().get_wsgi_headers(environ)
            if "Location" in self.headers:
                headers["Location"] = self.headers["Location"]
            return headers

    Exact.__name__ = base.__name__
    return Exact
