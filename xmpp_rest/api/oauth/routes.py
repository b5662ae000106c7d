"""The routes of /oauth."""

from __future__ import annotations

from flask import Blueprint

from xmpp_rest.api.commands import registry
from xmpp_rest.api.failures import answer_failures
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.oauth.implicit import ImplicitGrant
from xmpp_rest.api.oauth.password import PasswordGrant, Revocation, failed
from xmpp_rest.api.routing import Route, add_routes

ROUTES = (
    Route("/oauth/token", "POST, OPTIONS", PasswordGrant),
    Route("/oauth/revoke", "POST, OPTIONS", Revocation),
    Route("/oauth/authorization_token", "GET, HEAD, POST, OPTIONS", ImplicitGrant),
)


def blueprint(gateway: Gateway) -> Blueprint:
    """The routes of /oauth."""
    routes = Blueprint("oauth", __name__)
    add_routes(routes, ROUTES, gateway, registry().names)
    answer_failures(routes, failed)
    return routes
