"""The status of the gateway, for administrators."""

from __future__ import annotations

from typing import Any

from xmpp_rest.api.authentication import Authenticated
from xmpp_rest.api.ops.figures import figures
from xmpp_rest.api.ops.health import Health
from xmpp_rest.auth.caller import Caller
from xmpp_rest.auth.scopes import Use


class Status(Authenticated, Health):
    """How the streams are, and why one is not up."""

    elsewhere = "Only administrators may see this, and {account} is none of them: [auth] admins lists them"
    uses = dict.fromkeys(("GET", "HEAD"), Use.ADMINISTER)

    def admits(self, caller: Caller) -> bool:
        if not caller.admin:
            lacks = f"and {caller.jid.bare} is none of them: [auth] admins lists them"
            if caller.jid.bare in self.gateway.settings.auth.admins:
                lacks = f"and this token of {caller.jid.bare} has no scope of theirs, such as ejabberd:admin"
            self.problem["detail"] = f"Only administrators may see this, {lacks}"
        return caller.admin

    def to_json(self) -> dict[str, Any]:
        return figures(self.gateway)
