"""The routes of the OpenAPI descriptions."""

from __future__ import annotations

from flask import Blueprint, Response, request

from xmpp_rest.api.commands import registry
from xmpp_rest.api.failures import answer_failures
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.openapi.documents import Documents
from xmpp_rest.api.openapi.resource import OpenAPI
from xmpp_rest.api.routing import Route, any_method

ROUTES = (
    Route("/openapi.json", "GET, HEAD, OPTIONS", OpenAPI),
    Route("/openapi/<name>.json", "GET, HEAD, OPTIONS", OpenAPI),
)
TO_ANY_PAGE = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "ETag, Allow, X-Request-Id"}
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Accept, If-None-Match, X-Request-Id",
    "Access-Control-Max-Age": "7200",
}


def blueprint(gateway: Gateway) -> Blueprint:
    """The routes of the descriptions."""
    routes = Blueprint("openapi", __name__)
    view = OpenAPI.as_view("openapi", gateway, Documents(registry()))
    for route in ROUTES:
        routes.record(any_method(route.path, "openapi", view))
    answer_failures(routes)
    routes.after_request(_open)
    return routes


def _open(response: Response) -> Response:
    """Any page may read them, whatever [server] origins says, and never with credentials."""
    response.headers.update(TO_ANY_PAGE | (PREFLIGHT if request.method == "OPTIONS" else {}))
    return response
