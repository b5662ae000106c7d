"""The command API at /api, compatible with ejabberd's mod_http_api (commands-api §1)."""

from __future__ import annotations

import logging
from functools import cache

from flask import Blueprint, Response, g, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from xmpp_rest.api.commands.audit import record
from xmpp_rest.api.commands.catalogue import load_catalogue
from xmpp_rest.api.commands.errors import failure, of_service
from xmpp_rest.api.commands.groups import COMMANDS
from xmpp_rest.api.commands.registry import Registry
from xmpp_rest.api.commands.resource import Call, Preflight
from xmpp_rest.api.commands.services import Services
from xmpp_rest.api.failing import answer_failures
from xmpp_rest.api.routing import any_method
from xmpp_rest.gateway.gateway import Gateway

log = logging.getLogger(__name__)


@cache
def registry() -> Registry:
    """Every command that the gateway offers; read once."""
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
    answer_failures(routes, lambda error: of_service(error).answer, _refused)
    routes.after_request(_audit)
    return routes


def _refused(error: HTTPException) -> ResponseReturnValue:
    """A body that broke off, say: nothing that an administrator has to look at."""
    log.info("%s %r from %s: %s", request.method, request.path, request.remote_addr, error.description)
    return failure(error.code or 500, 0, error.description or "The request cannot be read").answer


def _audit(response: Response) -> Response:
    if isinstance(call := g.get("call"), Call):
        record(call.asker, call.request.remote_addr or "", str(call.target), call.given, response.status_code)
    return response
