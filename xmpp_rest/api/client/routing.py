"""Which resource does a path of the client API name, and with which segments? (spec client-api §1.1)

A segment may be an address with a resource, `bob@example.net%2Fphone`. WSGI's PATH_INFO is decoded, where that slash looks like one
between segments; so the segments are taken from the URI as it was sent, which every common server hands on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from flask import Request, Response, request

from xmpp_rest.api.detail import detail_field
from xmpp_rest.api.routing import View
from xmpp_rest.http.resource import Resource

_RAW = ("RAW_URI", "REQUEST_URI")  # gunicorn, werkzeug; mod_wsgi, uwsgi, Passenger

_AUTHORITY = re.compile(r"https?://[^/?#]*", re.IGNORECASE)  # RFC 9112 §3.2.2: the absolute form, for proxies


class Route(NamedTuple):
    """`/rooms/{id}/users`: its segments, those in braces with any content, and the class that serves it."""

    path: str
    resource: type[Resource]


class Dispatcher:
    """Finds the view for the segments below the API's prefix."""

    def __init__(self, prefix: str, routes: Iterable[Route], *arguments: Any) -> None:
        """`arguments` go to the constructor of each resource."""
        self._depth = prefix.count("/")
        views: dict[type[Resource], View] = {}
        self._table: list[tuple[list[str], View]] = []
        for path, resource in routes:
            if resource not in views:
                views[resource] = resource.as_view(resource.__name__, *arguments)
            self._table.append((path.split("/")[1:], views[resource]))

    @property
    def families(self) -> list[str]:
        """The first segments."""
        return list(dict.fromkeys(pattern[0] for pattern, _ in self._table))

    def view(self, **_: str) -> Response:
        """The view of every URL rule of the API; 404 with an empty body where there is no resource."""
        given = segments(request)[self._depth :]
        for pattern, view in self._table:
            arguments = match(pattern, given)
            if arguments is not None:
                return view(**arguments)
        response = Response(status=404, headers=detail_field("There is nothing at this path; the API's description says what there is"))
        del response.headers["Content-Type"]
        return response


def match(pattern: list[str], given: list[str]) -> dict[str, str] | None:
    """What stands in the places of the braces; None unless the path fits. No place may be empty."""
    if len(pattern) != len(given):
        return None
    found = {}
    for expected, segment in zip(pattern, given, strict=True):
        if expected[:1] == "{" and segment:
            found[expected[1:-1]] = segment
        elif expected != segment:
            return None
    return found


def segments(request: Request) -> list[str]:
    """The decoded segments of the path, without the empty one behind a trailing slash."""
    parts = _raw_path(request).removesuffix("/").split("/")
    return [unquote(part, errors="replace") for part in parts[1:]]


def _raw_path(request: Request) -> str:
    """The path as it was sent, if the server tells and nobody has rewritten it since; else the decoded one, encoded again."""
    for name in _RAW:
        uri = _AUTHORITY.sub("", str(request.environ.get(name, "")))
        raw = uri.partition("?")[0].removeprefix(quote(request.root_path))
        if unquote(raw, errors="replace") == request.path:
            return raw
    return quote(request.path)
