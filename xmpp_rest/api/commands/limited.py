"""The limits that calls of commands count for, where these send messages (hooks §18)."""

from __future__ import annotations

from typing import Any

from xmpp_rest.api.commands import errors
from xmpp_rest.api.commands.services import Services
from xmpp_rest.api.rate_limits import note_sender, take
from xmpp_rest.auth.rights import Principal
from xmpp_rest.errors import GatewayError

SENDING = frozenset(
    ("announce_send_all", "announce_send_online", "send_direct_invitation", "send_message", "send_stanza", "send_stanza_c2s")
)
"""The commands that send messages."""


def note_principal(services: Services, principal: Principal, environ: dict[str, Any]) -> None:
    """The call counts for the limits of this principal; one without an account has none."""
    if principal.jid is not None:
        token = environ.get("HTTP_AUTHORIZATION") if principal.scopes is not None else None
        note_sender(environ, services.gateway, principal.jid, token)


def charge(environ: dict[str, Any]) -> None:
    """Take a call out of the caller's limits. Raises CommandFailure: 429, or where nobody can be asked."""
    try:
        allowance = take(environ)
    except GatewayError as e:
        raise errors.of_service(e) from e
    if not allowance.allowed:
        raise errors.rate_exceeded(allowance.fields())
