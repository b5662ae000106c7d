"""Errors of /rest for the exceptions of reading, addressing and sending a stanza."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drivers import StorageError
from xmpp_rest.api.rest.addressing import Rejected
from xmpp_rest.api.rest.errors import RestFailure, failure, failure_of
from xmpp_rest.errors import RETRY_AFTER, GatewayError, storage_failed
from xmpp_rest.protocol.codecs import BadStanzaAddress, EmptyStanza, UnreadableStanza
from xmpp_rest.protocol.element import BadXML

_KINDS: tuple[tuple[type[Exception], Callable[[Any], RestFailure]], ...] = (  # first match: two are an UnreadableStanza
    (BadStanzaAddress, lambda e: failure(e.field, error=str(e))),
    (EmptyStanza, lambda e: failure("unsaid", error=str(e))),
    (UnreadableStanza, lambda e: failure("parse", error=str(e))),
    (Rejected, lambda e: failure(e.name, **({"error": e.reason} if e.reason else {}))),
    (BadXML, lambda e: failure("parse", error=str(e))),
    (GatewayError, lambda e: failure("to", error=e.text) if e.name == "bad-recipient" else failure_of(e)),
    (StorageError, lambda e: failure_of(storage_failed(e, "The storage failed; nothing was kept"))),
)
REFUSED = tuple(kind for kind, _ in _KINDS)
"""What may be raised."""


def failure_for(error: Exception) -> RestFailure:
    """The error that one of REFUSED stands for."""
    return next(make(error) for kind, make in _KINDS if isinstance(error, kind))


def fields_of(error: RestFailure) -> dict[str, str]:
    """The header fields that come with it: when to try again (RFC 9110 §15.6.4)."""
    seconds = error.retry_after or (RETRY_AFTER if error.status == 503 else None)
    return {} if seconds is None else {"Retry-After": str(seconds)}
