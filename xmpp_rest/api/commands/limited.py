"""The limits that calls of commands count for, where these send messages (hooks §18)."""

from __future__ import annotations

from collections.abc import Mapping

from xmpp_rest.api.commands import errors
from xmpp_rest.api.commands.services import Services
from xmpp_rest.api.rate_limits import buckets
from xmpp_rest.auth.rights import Principal
from xmpp_rest.errors import GatewayError

SENDING = frozenset(
    ("announce_send_all", "announce_send_online", "send_direct_invitation", "send_message", "send_stanza", "send_stanza_c2s")
)
"""The commands that send messages."""
NONE: Mapping[str, str] = {}


def charge(services: Services, principal: Principal, authorization: str | None) -> Mapping[str, str]:
    """Take a call out of the caller's limits; the header fields that tell so. Raises CommandFailure: 429, or where nobody can be asked."""
    limits = services.gateway.settings.limits
    if principal.jid is None or not (limits.account or limits.token):
        return NONE
    try:
        token = authorization if principal.scopes is not None else None
        allowance = services.parts.limits.take(buckets(services.gateway, principal.jid, token))
    except GatewayError as e:
        raise errors.of_service(e) from e
    if not allowance.allowed:
        raise errors.rate_exceeded(allowance.fields())
    return allowance.fields()
