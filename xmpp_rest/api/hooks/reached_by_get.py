"""A GET that sends: for senders that can do nothing else, and hooks that allow it (hooks §5.3)."""

from __future__ import annotations

from typing import Any

from flask import Request

from xmpp_rest.api.hooks.bodies import HookBody, read_value
from xmpp_rest.api.hooks.incoming import is_prefetch
from xmpp_rest.api.hooks.taking import TakenRequest
from xmpp_rest.service.hooks.said import NothingToSay

MESSAGE, PAYLOAD = "msg", "payload"
KUMA = ("heartbeat", "monitor")
JSON = "application/json"


def may_deliver(request: Request) -> bool:
    """Whether a GET has something to say, and nobody only looks what is there."""
    return (MESSAGE in request.args or PAYLOAD in request.args) and not is_prefetch(request)


class GetRequest(TakenRequest):
    """One GET. Its query is what other requests have as their body."""

    def body(self) -> bytes:
        return b""

    def signed(self, body: bytes) -> bytes:
        """Gitea and Forgejo sign the payload, wherever they put it."""
        return self.query.get(PAYLOAD, "").encode("utf-8", "surrogateescape")

    def read(self, body: bytes) -> HookBody:
        if PAYLOAD in self.query:
            return read_value(self.signed(body), JSON)
        value: dict[str, Any] = {MESSAGE: self.query[MESSAGE]}
        for name in KUMA:
            sent = self.query.get(name, "")
            value[name] = read_value(sent.encode("utf-8", "surrogateescape"), JSON).value if sent.strip() else None
        if not self.query[MESSAGE].strip() and not any(value[name] for name in KUMA):
            raise NothingToSay("msg is empty")
        return HookBody(value)
