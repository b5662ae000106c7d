"""The command API at /api, compatible with ejabberd's mod_http_api (spec commands-api §1)."""

from __future__ import annotations

import logging

from flask import Blueprint, Response, g, request
from flask.typing import ResponseReturnValue

from xmpp_rest.api.commands.audit import record
from xmpp_rest.api.commands.catalogue import load_catalogue
from xmpp_rest.api.commands.errors import internal_error
from xmpp_rest.api.commands.families import COMMANDS
from xmpp_rest.api.commands.registry import Registry
from xmpp_rest.api.commands.resource import Call, Preflight
from xmpp_rest.api.commands.services import Services
from xmpp_rest.api.routing import any_method
from xmpp_rest.gateway import Gateway

log = logging.getLogger(__name__)


def registry() -> Registry:
    """Every command that the gateway offers."""
    return Registry(load_catalogue(), COMMANDS)


def blueprint(gateway: Gateway) -> Blueprint:
    """The routes below /api that no other API has taken; and below /v0/api and so on, for clients that can set a base URL alone."""
    routes = Blueprint("commands", __name__)
    offered = registry()
    call = Call.as_view("call", Services.of(gateway, offered.names), offered)
    preflight = Preflight.as_view("preflight")
    bases: dict[str, dict[str, int]] = {"/api": {}} | {f"/v{number}/api": {"base_version": number} for number in range(offered.newest + 1)}
    for base, defaults in bases.items():
        for rule in (base, f"{base}/<anything:path>"):
            routes.add_url_rule(rule, view_func=preflight, methods=["OPTIONS"], defaults=defaults)
            routes.record(any_method(rule, "call", call, defaults))
    routes.register_error_handler(Exception, _unexpected)
    routes.after_request(_audit)
    return routes


def _unexpected(error: Exception) -> ResponseReturnValue:
    """What nobody foresaw: the log has all of it, the caller nothing (spec commands-api §16)."""
    log.error("%r failed", request.path, exc_info=error)
    return internal_error().answer


def _audit(response: Response) -> Response:
    if isinstance(call := g.get("call"), Call):
        record(call.asker, call.request.remote_addr or "", str(call.target), call.given, response.status_code)
    return response
