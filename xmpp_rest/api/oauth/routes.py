"""The routes of /oauth."""

from __future__ import annotations

from flask import Blueprint

from xmpp_rest.api.commands import registry
from xmpp_rest.api.failing import answer_failures
from xmpp_rest.api.oauth.authorization import Authorization
from xmpp_rest.api.oauth.tokens import Revocation, TokenResource, failed
from xmpp_rest.api.routing import Route, add_routes
from xmpp_rest.gateway.gateway import Gateway

ROUTES = (
    Route("/oauth/token", "POST, OPTIONS", TokenResource),
    Route("/oauth/revoke", "POST, OPTIONS", Revocation),
    Route("/oauth/authorization_token", "GET, HEAD, POST, OPTIONS", Authorization),
)


def blueprint(gateway: Gateway) -> Blueprint:
    """The routes of /oauth."""
    routes = Blueprint("oauth", __name__)
    add_routes(routes, ROUTES, gateway, registry().names)
    answer_failures(routes, failed)
    return routes
