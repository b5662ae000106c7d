"""The limits that a sending request counts for: those of the account, and of the OAuth token that it came with.

They are noted in the environ of the request once its sender is known, so that every answer tells of them, whatever ends the request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from flask import Flask, Response, request

from xmpp_rest.api.gateway import Gateway
from xmpp_rest.auth.caller import Caller, CallerKind
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.limits.limits import ACCOUNT, TOKEN, UNLIMITED, Allowance, Bucket, RateLimits, name_of_token

SENDER = "xmpp_rest.sender_limits"  # in the environ
FIELDS = "xmpp_rest.limit_fields"  # in the environ: what tells of the limits
LimitFields = Callable[[], Mapping[str, str]]


class SenderLimits:
    """The limits of the sender of one request."""

    def __init__(self, limits: RateLimits, buckets: Sequence[Bucket]) -> None:
        self._limits = limits
        self._buckets = buckets
        self._taken: Allowance | None = None

    def take(self) -> Allowance:
        """Take the request out of the limits, once. Raises GatewayError where there is no leader to ask."""
        if self._taken is None:
            self._taken = self._limits.take(self._buckets)
        return self._taken

    def fields(self) -> Mapping[str, str]:
        """The header fields that tell of the limits, also for a request that costs nothing. Raises GatewayError, as `take`."""
        return (self._taken or self._limits.look(self._buckets)).fields()


def note_caller(environ: dict[str, Any], gateway: Gateway, caller: Caller, authorization: str | None) -> None:
    """The request is a sending one of this caller; the component has no limits."""
    if caller.kind is not CallerKind.COMPONENT:
        note_sender(environ, gateway, caller.jid, authorization if caller.by_token else None)


def note_sender(environ: dict[str, Any], gateway: Gateway, account: JID, token: str | None) -> None:
    """The request is a sending one of this account, with the token in this Authorization field; None: it has come with another proof."""
    limits = gateway.settings.limits
    if limits.account or limits.token:
        environ[SENDER] = sender = SenderLimits(gateway.parts.limits, _buckets(gateway, account, token))
        environ[FIELDS] = sender.fields


def note_fields(environ: dict[str, Any], fields: LimitFields) -> None:
    """These tell of the limits that the request counts for. They may raise GatewayError."""
    environ[FIELDS] = fields


def take(environ: Mapping[str, Any]) -> Allowance:
    """Take the request out of the limits of its sender, once. Raises GatewayError where there is no leader to ask."""
    sender: SenderLimits | None = environ.get(SENDER)
    return UNLIMITED if sender is None else sender.take()


def tell(response: Response) -> Response:
    """The response, with the fields that tell of the limits."""
    fields: LimitFields | None = request.environ.get(FIELDS)
    if fields is not None and "RateLimit" not in response.headers:
        with suppress(GatewayError):  # nobody can tell now
            response.headers.update(fields())
    return response


def install(app: Flask) -> None:
    """Let every answer to a sending request tell of the limits that it counts for."""
    app.after_request(tell)


def _buckets(gateway: Gateway, account: JID, token: str | None) -> Sequence[Bucket]:
    """Those of an account, and of a token, of which a hash is kept."""
    limits = gateway.settings.limits
    of_account = Bucket(ACCOUNT, str(account.bare), limits.account)
    if token is None:
        return (of_account,)
    return of_account, Bucket(TOKEN, name_of_token(token), limits.token)
