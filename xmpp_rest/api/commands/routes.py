"""The routes of the command API (commands-api §1)."""

from __future__ import annotations

import logging
from functools import wraps
from typing import Any

from flask import Blueprint, Response, g, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from xmpp_rest.answered import path_of
from xmpp_rest.api.commands import registry
from xmpp_rest.api.commands.audit import record
from xmpp_rest.api.commands.batch_resource import BatchCall, is_batch
from xmpp_rest.api.commands.errors import failure, of_service
from xmpp_rest.api.commands.resource import Call, Preflight
from xmpp_rest.api.commands.services import Services
from xmpp_rest.api.failures import answer_failures
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.routing import Route, any_method

log = logging.getLogger("xmpp_rest.commands")


PATH = "/api/<anything:command>"  # and, for clients that can set a base URL alone, /v0/api/<command> and so on
ROUTES = (
    Route(PATH, "OPTIONS", Preflight),
    Route(PATH, "GET, POST", Call),  # and the answer to methods that are not allowed
)


def blueprint(gateway: Gateway) -> Blueprint:
    """The routes below /api that no other API has taken."""
    routes = Blueprint("commands", __name__)
    offered = registry()
    services = Services(gateway, offered.names)
    one, many = Call.as_view("call", services, offered), BatchCall.as_view("batchcall", services, offered)

    @wraps(one)
    def call(**args: Any) -> Response:
        return (many if is_batch(request, args.get("base_version")) else one)(**args)

    preflight = Preflight.as_view("preflight")
    bases: dict[str, dict[str, int]] = {"": {}} | {f"/v{number}": {"base_version": number} for number in range(offered.newest + 1)}
    for base, defaults in bases.items():
        for rule in (f"{base}/api", base + PATH):
            routes.add_url_rule(rule, view_func=preflight, methods=["OPTIONS"], defaults=defaults)
            routes.record(any_method(rule, "call", call, defaults))
    answer_failures(routes, lambda error: of_service(error).answer, _refused)
    routes.after_request(_audit)
    return routes


def _refused(error: HTTPException) -> ResponseReturnValue:
    """A body that broke off, say: nothing that an administrator has to look at."""
    log.info("%s %s from %s: %s", request.method, path_of(request.environ), request.remote_addr, error.description)
    return failure(error.code or 500, 0, error.description or "The request cannot be read").answer


def _audit(response: Response) -> Response:
    if isinstance(call := g.get("call"), Call):
        record(call.principal, call.request.remote_addr or "", str(call.target), call.given, response.status_code)
    return response
