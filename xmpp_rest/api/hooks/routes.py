"""The routes of /hooks (hooks §4, §5)."""

from __future__ import annotations

from flask import Blueprint

from xmpp_rest.api.failures import answer_failures
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.hooks.deliveries import NamedDelivery, TokenDelivery
from xmpp_rest.api.hooks.management import HookList
from xmpp_rest.api.hooks.named import NamedHook, NamedTest, NamedToken, OrDelivery, delivery_view
from xmpp_rest.api.hooks.uncached import uncached
from xmpp_rest.api.routing import Route, add_routes

ROUTES = (
    Route("/hooks", "GET, HEAD, OPTIONS, POST", HookList),
    Route("/hooks/<hook_token:token>", "OPTIONS, POST, PUT", TokenDelivery),
    Route("/hooks/<hook_token:token>/<anything:path>", "OPTIONS, POST, PUT", TokenDelivery),
    Route("/hooks/<name>", "GET, HEAD, OPTIONS, POST, PUT, DELETE", NamedHook),
    Route("/hooks/<name>/token", "OPTIONS, POST", NamedToken),
    Route("/hooks/<name>/test", "OPTIONS, POST", NamedTest),
    Route("/hooks/<name>/<anything:path>", "OPTIONS, POST, PUT", NamedDelivery),
)


def blueprint(gateway: Gateway) -> Blueprint:
    """The routes of /hooks."""
    routes = Blueprint("hooks", __name__)
    deliver = delivery_view(gateway)
    for route in ROUTES:
        add_routes(routes, [route], gateway, *((deliver,) if issubclass(route.resource, OrDelivery) else ()))
    routes.after_request(uncached)
    answer_failures(routes)
    return routes
