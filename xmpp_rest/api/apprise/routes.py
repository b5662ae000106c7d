"""The routes of the Apprise API, below [apprise] prefix."""

from __future__ import annotations

from flask import Blueprint, Response, request

from xmpp_rest.api.apprise.answers import apprise_answer
from xmpp_rest.api.apprise.resources import Notify
from xmpp_rest.api.failures import answer_failures, retry_after
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.hooks.uncached import uncached
from xmpp_rest.api.routing import Route, add_free_routes
from xmpp_rest.errors import GatewayError

ROUTES = (
    Route("/notify", "OPTIONS, POST", Notify),
    Route("/notify/<anything:key>", "OPTIONS, POST", Notify),
)


def blueprint(gateway: Gateway) -> Blueprint:
    """The routes of the Apprise API; none where it is not offered."""
    routes = Blueprint("apprise", __name__)
    prefix = gateway.settings.apprise.prefix
    if prefix is not None:
        add_free_routes(routes, prefix, ROUTES, gateway)
    routes.after_request(uncached)
    answer_failures(routes, _failed)
    return routes


def _failed(error: GatewayError) -> Response:
    answer = apprise_answer(error.row.status, request.environ.get("HTTP_ACCEPT", ""), error.text)
    return Response(answer.body, answer.status, retry_after(error), content_type=answer.type)
