"""The routes of the pages."""

from __future__ import annotations

from flask import Blueprint, Response

from xmpp_rest.api.failures import answer_failures
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.routing import Route, add_routes
from xmpp_rest.api.web.console import Console, ConsoleToSlash
from xmpp_rest.api.web.docs import Docs, DocsToSlash
from xmpp_rest.api.web.files import Files
from xmpp_rest.api.web.landing import Landing, LandingStyle, Manual, NoLanding
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
NO_LANDING = Route("/", METHODS, NoLanding)
"""In place of the page where that is switched off: JSON is POSTed there, as to ntfy."""


def blueprint(gateway: Gateway) -> Blueprint:
    """The routes of the pages that are switched on."""
    routes = Blueprint("web", __name__)
    pages = gateway.settings.pages
    served = [route for page, table in ROUTES.items() if getattr(pages, page) for route in table]
    beside = [*([ICON] if served else []), *([] if pages.landing else [NO_LANDING])]
    add_routes(routes, [*served, *beside], Web(gateway, Files()))
    answer_failures(routes)
    routes.after_request(_with_fields)
    return routes


def _with_fields(response: Response) -> Response:
    response.headers.update(FIELDS)
    return response
