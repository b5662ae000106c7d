"""Health and status of the gateway."""

from __future__ import annotations

from typing import Any

from xmpp_rest import __version__
from xmpp_rest.api.authentication import Authenticated
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.auth.caller import Caller
from xmpp_rest.auth.scopes import Use
from xmpp_rest.http.resource import Resource


class Health(Resource):
    """Whether the process answers; says nothing else, so it needs no credentials."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def content_types_provided(self) -> list[tuple[tuple[str, str, str], str]]:
        return [(("application", "json", "*"), "to_json")]

    def to_json(self) -> dict[str, Any]:
        return {"status": "ok"}


class Status(Authenticated, Health):
    """How the streams are, and why one is not up."""

    uses = dict.fromkeys(("GET", "HEAD"), Use.ADMINISTER)

    def admits(self, caller: Caller) -> bool:
        return caller.admin

    def to_json(self) -> dict[str, Any]:
        settings = self.gateway.settings
        return {
            "version": __version__,
            "domain": settings.gateway.domain,
            "waits": {"count": self.gateway.parts.waits.count, "most": self.gateway.parts.waits.most},
            "link": {"kind": settings.link.kind, "streams": self.gateway.parts.link_status()},
        }
