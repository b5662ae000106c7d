"""`/message` and `/version` as Gotify has them (hooks §14)."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NoReturn

from flask import Response

from xmpp_rest import __version__
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.gotify.answers import UNPROVEN, gotify_error
from xmpp_rest.api.hooks.bodies import HookBody
from xmpp_rest.api.hooks.credentials import token_in
from xmpp_rest.api.hooks.deliveries import BEARER, DeliveryResource
from xmpp_rest.api.hooks.taking import TakenRequest
from xmpp_rest.api.hooks.unknown import note_wrong
from xmpp_rest.api.resource import ApiResource
from xmpp_rest.http.resource import Stop
from xmpp_rest.request_notes import note_hook
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.hooks.said import NothingToSay

NOT_OFFERED = frozenset(("GET", "HEAD", "DELETE"))
"""What Gotify does at this path besides: reading messages, and removing them."""


class GotifyRequest(TakenRequest):
    """One message."""

    def read(self, body: bytes) -> HookBody:
        read = super().read(body)
        message = read.value.get("message") if isinstance(read.value, dict) else None
        if not isinstance(message, str) or not message.strip():
            raise NothingToSay("Field 'message' is required")
        return read


class GotifyMessage(DeliveryResource):
    """`/message`: a message of the hook whose token the request has."""

    @cached_property
    def token(self) -> str | None:
        """The token, wherever it is."""
        return token_in(self.request)

    @cached_property
    def hook(self) -> Hook | None:
        if self.token is None:
            return None
        self.refuse_misused()
        return self.gateway.parts.hooks.by_token(self.token)

    def allowed_methods(self) -> list[str]:
        if self.request.method in NOT_OFFERED:
            self.fail(404, "page not found")
        return ["OPTIONS", "POST"]

    def refuse_unknown(self) -> NoReturn:
        if self.token is not None and (wait := note_wrong(self.gateway, self.request)):
            self.fail(429, "too many unknown tokens came from your address", **{"Retry-After": str(wait)})
        self.fail(401, UNPROVEN, **{"WWW-Authenticate": BEARER})

    def refuse(self, status: int, detail: str, **fields: str) -> NoReturn:
        self.fail(status, detail, **fields)

    def fail(self, status: int, text: str, **fields: str) -> NoReturn:
        """End the request with an error in Gotify's words."""
        answer = gotify_error(status, text)
        raise Stop(Response(answer.body, status, fields, content_type=answer.type))

    def render_error(self, status: int) -> tuple[bytes | str, str]:
        answer = gotify_error(status, f"{self.request.method[:40]} is not among the methods of this path")
        return answer.body, answer.type

    def deliver(self) -> NoReturn:
        assert self.hook is not None
        note_hook(self.hook.name)
        raise Stop(GotifyRequest(self.gateway, self.request, self.hook, fixed="gotify").answer())


class GotifyVersion(ApiResource):
    """`/version`: which programs ask for to see that this is a Gotify server."""

    ignored_fields = frozenset(("Accept",))
    head_as_get = True

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def allowed_methods(self) -> list[str]:
        return ["GET", "HEAD", "OPTIONS"]

    def content_types_provided(self) -> list[tuple[tuple[str, str, str], str]]:
        return [(("application", "json", "*"), "to_json")]

    def to_json(self) -> dict[str, Any]:
        return {"version": __version__, "commit": "", "buildDate": ""}
