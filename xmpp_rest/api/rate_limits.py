"""The limits that a sending request counts for: those of the account, and of the OAuth token that it came with."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from xmpp_rest.api.gateway import Gateway
from xmpp_rest.auth.caller import Caller, CallerKind
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.limits.limits import ACCOUNT, TOKEN, UNLIMITED, Allowance, Bucket


def take(gateway: Gateway, caller: Caller, authorization: str | None) -> Allowance:
    """Take a sending request out of the caller's limits. Raises GatewayError where there is no leader to ask."""
    limits = gateway.settings.limits
    if not limits.account and not limits.token:  # the usual case
        return UNLIMITED
    return gateway.parts.limits.take(_buckets(gateway, caller, authorization))


def look(gateway: Gateway, caller: Caller, authorization: str | None) -> Allowance:
    """What `take` would tell, for a request that costs nothing."""
    limits = gateway.settings.limits
    if not limits.account and not limits.token:
        return UNLIMITED
    return gateway.parts.limits.look(_buckets(gateway, caller, authorization))


def _buckets(gateway: Gateway, caller: Caller, authorization: str | None) -> Sequence[Bucket]:
    if caller.kind is CallerKind.COMPONENT:
        return ()
    return buckets(gateway, caller.jid, authorization if caller.by_token else None)


def buckets(gateway: Gateway, account: JID, token: str | None) -> Sequence[Bucket]:
    """Those of an account, and of the token in this Authorization field, of which a hash is kept; None: it has come with another proof."""
    limits = gateway.settings.limits
    of_account = Bucket(ACCOUNT, str(account.bare), limits.account)
    if token is None:
        return (of_account,)
    secret = token.strip().partition(" ")[2].strip()
    return of_account, Bucket(TOKEN, hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()[:32], limits.token)
