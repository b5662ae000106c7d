"""The routes of ntfy (hooks §13)."""

from __future__ import annotations

from flask import Blueprint, Response

from xmpp_rest.api.failures import answer_failures
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.ntfy.errors import of_gateway, of_status
from xmpp_rest.api.ntfy.publish import Publish, PublishAsJson, PublishAtRoot, PublishByGet
from xmpp_rest.api.ntfy.read import NothingThere, NtfyHealth, ReadAuth, ReadEvents, ReadLines
from xmpp_rest.api.ntfy.resource import FIELDS, Ntfy, answer_error
from xmpp_rest.api.routing import Route, add_free_routes
from xmpp_rest.errors import GatewayError

WRITING, READING = "OPTIONS, POST, PUT", "GET, OPTIONS"
ROUTES = (
    Route("/v1/health", "GET, HEAD, OPTIONS", NtfyHealth),
    Route("/<topic>", WRITING, Publish),
    Route("/<topic>/publish", READING, PublishByGet),
    Route("/<topic>/send", READING, PublishByGet),
    Route("/<topic>/trigger", READING, PublishByGet),
    Route("/<topic>/auth", READING, ReadAuth),
    Route("/<topic>/json", READING, ReadLines),
    Route("/<topic>/sse", READING, ReadEvents),
    Route("/<topic>/raw", "GET, OPTIONS, POST, PUT", NothingThere),
    Route("/<topic>/ws", "GET, OPTIONS, POST, PUT", NothingThere),
)
"""Below `[ntfy] prefix`."""
OF_PREFIX = (
    Route("", WRITING, PublishAsJson),
    Route("/", WRITING, PublishAsJson),
    Route("/<anything:any>", "GET, OPTIONS, POST, PUT", NothingThere),
)
"""Below a prefix that is not `/`."""
ROOT = Route("/", "POST, PUT", PublishAtRoot)
"""Whatever the prefix is: Apprise knows no path."""


def root(gateway: Gateway) -> Blueprint:
    """JSON at `/`. Registered before the page that is there, which takes all methods."""
    routes = Blueprint("ntfy_root", __name__)
    prefix = gateway.settings.ntfy.prefix
    view = PublishAtRoot.as_view("publishatroot", Ntfy(gateway, prefix))
    methods = ["POST", "PUT", *(["OPTIONS"] if prefix == "" else [])]
    routes.add_url_rule("/", "publishatroot", view, methods=methods, provide_automatic_options=False)
    return _with_failures(routes)


def blueprint(gateway: Gateway) -> Blueprint:
    """The routes below the prefix, if there is one. Registered after those of all other APIs."""
    routes = Blueprint("ntfy", __name__)
    prefix = gateway.settings.ntfy.prefix
    if prefix is not None:
        table = (*ROUTES, *OF_PREFIX) if prefix else ROUTES
        add_free_routes(routes, prefix, table, Ntfy(gateway, prefix))
    return _with_failures(routes)


def _with_failures(routes: Blueprint) -> Blueprint:
    answer_failures(routes, _failed)
    routes.after_request(_with_fields)
    return routes


def _failed(error: GatewayError) -> Response:
    return answer_error(of_gateway(error) if error.name != "internal" else of_status(500))


def _with_fields(response: Response) -> Response:
    for name, value in FIELDS.items():
        response.headers.setdefault(name, value)
    return response
