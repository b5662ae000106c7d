"""Is the gateway well? `/health` for machines, `/status` for its administrators."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from xmpp_rest import __version__
from xmpp_rest.auth.credentials import Caller, Outcome, Refused
from xmpp_rest.auth.scopes import Use
from xmpp_rest.gateway import Gateway
from xmpp_rest.http.resource import Resource


class Health(Resource):
    """Whether the process answers and reaches its storage; says nothing else, so it needs no credentials."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def content_types_provided(self) -> list[tuple[tuple[str, str, str], str]]:
        return [(("application", "json", "*"), "to_json")]

    def to_json(self) -> dict[str, Any]:
        return {"status": "ok"}


class Status(Health):
    """How the streams are, and why one is not up."""

    _refused: Refused | None = None
    _caller: Caller | None = None

    def is_authorized(self) -> bool | str:
        who = self.gateway.authenticator.check(self.request.headers.get("Authorization"), self.request.remote_addr or "", Use.ADMINISTER)
        if isinstance(who, Caller):
            self._caller = who
            return True
        self._refused = who
        return True if who.outcome in (Outcome.THROTTLED, Outcome.FORBIDDEN) else f'Basic realm="{self.gateway.settings.gateway.domain}"'

    def forbidden(self) -> bool:
        if self._refused:
            return self._refused.outcome is Outcome.FORBIDDEN
        return not (self._caller and self._caller.admin)

    def rate_limited(self) -> int | bool:
        return self._refused.retry_after if self._refused else False

    def to_json(self) -> dict[str, Any]:
        settings = self.gateway.settings
        return {
            "version": __version__,
            "domain": settings.gateway.domain,
            "link": {"kind": settings.link.kind, "streams": self.gateway.siblings.have_done("status")},
        }


def blueprint(gateway: Gateway) -> Blueprint:
    """The routes for operation."""
    routes = Blueprint("ops", __name__)
    routes.add_url_rule("/health", view_func=Health.as_view("health", gateway))
    routes.add_url_rule("/status", view_func=Status.as_view("status", gateway))
    return routes
