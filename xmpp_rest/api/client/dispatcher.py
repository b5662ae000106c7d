"""Finds the resource that a path of the client API names, and the segments in the place of its braces (client-api §1.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import Response, request

from xmpp_rest.api.detail import detail_field
from xmpp_rest.api.routing import Route, View, segments
from xmpp_rest.http.resource import Resource


class Dispatcher:
    """Finds the view for the segments below the API's prefix."""

    def __init__(self, prefix: str, routes: Iterable[Route], *arguments: Any) -> None:
        """`arguments` go to the constructor of each resource."""
        self._depth = prefix.count("/")
        views: dict[type[Resource], View] = {}
        self._table: list[tuple[list[str], View]] = []
        for path, _, resource in routes:
            if resource not in views:
                views[resource] = resource.as_view(resource.__name__, *arguments)
            self._table.append((path.split("/")[1:], views[resource]))

    @property
    def first_segments(self) -> list[str]:
        """The first segment of each path, once."""
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
