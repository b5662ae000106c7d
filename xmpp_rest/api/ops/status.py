"""The status of the gateway, for administrators."""

from __future__ import annotations

from typing import Any

from xmpp_rest import __version__
from xmpp_rest.api.authentication import Authenticated
from xmpp_rest.api.ops.health import Health
from xmpp_rest.auth.caller import Caller
from xmpp_rest.auth.scopes import Use


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
