"""Counts tokens and signatures that are wrong, by the address that they come from (hooks §5.1)."""

from __future__ import annotations

from flask import Request

from xmpp_rest.api.gateway import Gateway

KIND = "hook"


def note_wrong(gateway: Gateway, request: Request) -> int:
    """Note a wrong token or signature. 0; or, after too many from this address, the seconds until the next one may come."""
    return gateway.parts.authenticator.unknown_token(KIND, request.remote_addr or "")
