"""Tables of routes, and rules for URLs that are data and for methods that are not registered."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from flask import Blueprint, Request, Response
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import HTTPException, NotFound
from werkzeug.routing import BaseConverter

from xmpp_rest.http.resource import Resource

log = logging.getLogger("xmpp_rest.config")

View = Callable[..., Response]
_RAW = ("RAW_URI", "REQUEST_URI")  # gunicorn, werkzeug; mod_wsgi, uwsgi, Passenger
_AUTHORITY = re.compile(r"https?://[^/?#]*", re.IGNORECASE)  # RFC 9112 §3.2.2: the absolute form, for proxies


class Route(NamedTuple):
    """A row of a dialect's table of routes."""

    path: str
    methods: str
    """Those that it serves, as the Allow field lists them."""
    resource: type[Resource]


def add_free_routes(blueprint: Blueprint, prefix: str, routes: Iterable[Route], *arguments: Any) -> None:
    """As `add_routes`, below a prefix of the configuration, but for paths that an API has which was registered before: that one wins."""
    below = [route._replace(path=prefix + route.path) for route in routes]

    def add_those_that_are_free(state: BlueprintSetupState) -> None:
        taken = {route.path for route in below if _is_taken(state, route.path)}  # before any of them is there itself
        for path in sorted(taken):
            log.warning("%s is a path of another API, and not served as one of %s: choose another prefix", path, state.name)
        for route in below:
            if route.path not in taken:
                name = route.resource.__name__.lower()
                any_method(route.path, name, route.resource.as_view(name, *arguments))(state)

    blueprint.record(add_those_that_are_free)


def _is_taken(state: BlueprintSetupState, path: str) -> bool:
    """Whether a path leads anywhere already; a part of it that is data is taken for any word."""
    try:
        state.app.url_map.bind("localhost").match(re.sub(r"<[^>]*>", "x", path), method="POST")
    except NotFound:
        return False
    except HTTPException:  # a redirect, or another method
        return True
    return True


def add_routes(blueprint: Blueprint, routes: Iterable[Route], *arguments: Any) -> None:
    """Register each resource under its name in lower case; `arguments` go to its constructor."""
    for route in routes:
        name = route.resource.__name__.lower()
        blueprint.record(any_method(route.path, name, route.resource.as_view(name, *arguments)))


class Anything(BaseConverter):
    """`<anything:name>`: the rest of the path, slashes and nothing at all included."""

    regex = "(?s:.*)"
    part_isolating = False


class HookTokenPart(BaseConverter):
    """`<hook_token:name>`: a part that begins as the token of a hook does, before rules for any part."""

    regex = "hk_[^/]*"
    weight = 50  # of others 100; the least is asked first


def any_method(rule: str, name: str, view: View, defaults: Mapping[str, Any] | None = None) -> Callable[[BlueprintSetupState], None]:
    """What adds a URL rule that the router applies to methods nobody has registered too, in place of Flask's own 405.

    For `Blueprint.record`. `defaults` are arguments of the view that the path does not hold. Of rules of the same path the first counts.
    """

    def add(state: BlueprintSetupState) -> None:
        endpoint = f"{state.name}.{name}"
        state.app.url_map.add(state.app.url_rule_class(rule, endpoint=endpoint, methods=None, defaults=defaults or None))
        state.app.view_functions[endpoint] = view

    return add


def segments(request: Request) -> list[str]:
    """The decoded segments of the path, without the empty one after a trailing slash.

    WSGI's PATH_INFO is decoded, where the slash of a segment such as `bob@example.net%2Fphone` looks like one between segments; so they are
    taken from the URI as it was sent, which every common server hands on.
    """
    parts = _raw_path(request).removesuffix("/").split("/")
    return [unquote(part, errors="replace") for part in parts[1:]]


def _raw_path(request: Request) -> str:
    """The path as it was sent, if the server tells and nobody has rewritten it since; else the decoded one, encoded again."""
    for name in _RAW:
        uri = _AUTHORITY.sub("", str(request.environ.get(name, ""))).partition("?")[0]
        for sent in (uri, uri.removeprefix(quote(request.root_path))):  # a proxy has removed the path before it, or the server is to
            raw = "/" + sent.lstrip("/")  # servers hand on one slash at the start
            if unquote(raw, errors="replace") == request.path:
                return raw
    return quote(request.path)
