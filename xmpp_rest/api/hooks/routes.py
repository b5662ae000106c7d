"""The routes of /hooks (hooks §4, §5)."""

from __future__ import annotations

from flask import Blueprint, Response

from xmpp_rest.api.failures import answer_failures
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.hooks.management import HookItem, HookList, HookToken
from xmpp_rest.api.routing import Route, add_routes

ROUTES = (
    Route("/hooks", "GET, HEAD, OPTIONS, POST", HookList),
    Route("/hooks/<name>", "GET, HEAD, OPTIONS, PUT, DELETE", HookItem),
    Route("/hooks/<name>/token", "OPTIONS, POST", HookToken),
)


def blueprint(gateway: Gateway) -> Blueprint:
    """The routes of /hooks."""
    routes = Blueprint("hooks", __name__)
    add_routes(routes, ROUTES, gateway)
    routes.after_request(_uncached)
    answer_failures(routes)
    return routes


def _uncached(response: Response) -> Response:
    """Every answer is for this request alone (hooks §4, §12)."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
