"""The routes of Gotify's API, below [gotify] prefix."""

from __future__ import annotations

from flask import Blueprint, Response

from xmpp_rest.api.failures import answer_failures, retry_after
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.gotify.answers import gotify_error
from xmpp_rest.api.gotify.resources import GotifyMessage, GotifyVersion
from xmpp_rest.api.hooks.uncached import uncached
from xmpp_rest.api.routing import Route, add_free_routes
from xmpp_rest.errors import GatewayError

ROUTES = (
    Route("/message", "OPTIONS, POST", GotifyMessage),
    Route("/version", "GET, HEAD, OPTIONS", GotifyVersion),
)


def blueprint(gateway: Gateway) -> Blueprint:
    """The routes of Gotify's API; none where it is not offered."""
    routes = Blueprint("gotify", __name__)
    prefix = gateway.settings.gotify.prefix
    if prefix is not None:
        add_free_routes(routes, prefix, ROUTES, gateway)
    routes.after_request(uncached)
    answer_failures(routes, _failed)
    return routes


def _failed(error: GatewayError) -> Response:
    answer = gotify_error(error.row.status, error.text)
    return Response(answer.body, answer.status, retry_after(error), content_type=answer.type)
