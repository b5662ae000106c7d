"""The routes of post_msg (hooks §16)."""

from __future__ import annotations

from flask import Blueprint

from xmpp_rest.api.failures import answer_failures
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.post_msg.resource import PostMessage
from xmpp_rest.api.routing import Route, add_free_routes

ROUTES = (
    Route("", "OPTIONS, POST", PostMessage),
    Route("/<anything:to>", "OPTIONS, POST", PostMessage),
)
"""Below `[post_msg] prefix`."""
AT_ROOT = (Route("/<to>", "OPTIONS, POST", PostMessage),)
"""Where that is `/`."""


def blueprint(gateway: Gateway) -> Blueprint:
    """The routes below the prefix, if there is one; at `/` addresses of one segment alone, as a path of more may be anything's."""
    routes = Blueprint("post_msg", __name__)
    prefix = gateway.settings.post_msg.prefix
    if prefix is not None:
        add_free_routes(routes, prefix, ROUTES if prefix else AT_ROOT, gateway)
    answer_failures(routes)
    return routes
