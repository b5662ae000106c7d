"""The routes of the pages."""

from __future__ import annotations

from flask import Blueprint, Response

from xmpp_rest.api.failures import answer_failures
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.routing import Route, add_routes
from xmpp_rest.api.web.console import Console, ConsoleToSlash
from xmpp_rest.api.web.docs import Docs, DocsToSlash
from xmpp_rest.api.web.files import Files
from xmpp_rest.api.web.landing import Landing, LandingStyle, Manual
from xmpp_rest.api.web.resource import FIELDS, METHODS, Favicon, Web

ROUTES: dict[str, tuple[Route, ...]] = {
    "landing": (
        Route("/", METHODS, Landing),
        Route("/landing.css", METHODS, LandingStyle),
        Route("/manual.txt", METHODS, Manual),
    ),
    "docs": (
        Route("/docs", METHODS, DocsToSlash),
        Route("/docs/<anything:file>", METHODS, Docs),
    ),
    "console": (
        Route("/console", METHODS, ConsoleToSlash),
        Route("/console/<anything:file>", METHODS, Console),
    ),
}
"""By the key of `[pages]` that switches them off."""
ICON = Route("/favicon.ico", METHODS, Favicon)


def blueprint(gateway: Gateway) -> Blueprint:
    """The routes of the pages that are switched on."""
    routes = Blueprint("web", __name__)
    served = [route for page, table in ROUTES.items() if getattr(gateway.settings.pages, page) for route in table]
    add_routes(routes, [*served, ICON] if served else [], Web(gateway, Files()))
    answer_failures(routes)
    routes.after_request(_with_fields)
    return routes


def _with_fields(response: Response) -> Response:
    response.headers.update(FIELDS)
    return response
