"""The answers to requests to hooks: of which API, by the format of the request, and the header fields of all of them (hooks §12)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from xmpp_rest.api.hooks.failures import HookFailure
from xmpp_rest.service.hooks.delivered import Delivered
from xmpp_rest.service.hooks.hook import Hook

TEXT, JSON = "text/plain; charset=utf-8", "application/json"


class HookAnswer(NamedTuple):
    """One answer, before it is a response."""

    status: int
    body: bytes = b""
    type: str = JSON
    fields: Mapping[str, str] = {}


class Asked(NamedTuple):
    """A request to a hook, as far as its answer tells of it. `value`: what was sent; `user_agent`: who sent it; `base`: what is before the
    paths of the gateway; `cache`: [ntfy] cache.
    """

    hook: Hook
    format: str
    value: Any = None
    user_agent: str = ""
    accept: str = ""
    base: str = ""
    cache: float = 0.0


class Answering(Protocol):
    """How an API answers."""

    def delivered(self, asked: Asked, delivered: Delivered) -> HookAnswer:
        """What has reached one recipient at least, waits for its time, or says nothing."""

    def failed(self, asked: Asked, failure: HookFailure) -> HookAnswer:
        """A request that was not delivered."""
