"""Tokens that programs get: /oauth (RFC 6749)."""

from __future__ import annotations

from flask import Blueprint

from xmpp_rest.api.commands import registry
from xmpp_rest.api.failing import answer_failures
from xmpp_rest.api.oauth.authorization import Authorization
from xmpp_rest.api.oauth.tokens import Revocation, TokenResource, failed
from xmpp_rest.gateway.gateway import Gateway


def blueprint(gateway: Gateway) -> Blueprint:
    """The routes of /oauth."""
    routes = Blueprint("oauth", __name__)
    names = registry().names
    routes.add_url_rule("/oauth/token", view_func=TokenResource.as_view("token", gateway, names))
    routes.add_url_rule("/oauth/revoke", view_func=Revocation.as_view("revoke", gateway, names))
    routes.add_url_rule("/oauth/authorization_token", view_func=Authorization.as_view("authorization", gateway, names))
    answer_failures(routes, failed)
    return routes
