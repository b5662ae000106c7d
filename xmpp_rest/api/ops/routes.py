"""The routes for operation."""

from __future__ import annotations

from flask import Blueprint

from xmpp_rest.api.failures import answer_failures
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.ops.health import Health, Live, Ready
from xmpp_rest.api.ops.metrics import Metrics
from xmpp_rest.api.ops.status import Status
from xmpp_rest.api.routing import Route, add_routes

ROUTES = (
    Route("/health", "GET, HEAD, OPTIONS", Health),
    Route("/livez", "GET, HEAD, OPTIONS", Live),
    Route("/readyz", "GET, HEAD, OPTIONS", Ready),
    Route("/status", "GET, HEAD, OPTIONS", Status),
)
METRICS = (Route("/metrics", "GET, HEAD, OPTIONS", Metrics),)
"""Those that `[metrics] enabled` switches off."""


def blueprint(gateway: Gateway) -> Blueprint:
    """The routes for operation."""
    routes = Blueprint("ops", __name__)
    add_routes(routes, ROUTES + METRICS if gateway.settings.metrics.enabled else ROUTES, gateway)
    answer_failures(routes)
    return routes
