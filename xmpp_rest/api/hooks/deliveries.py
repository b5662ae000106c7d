"""Deliveries: requests to hooks that are to become messages (hooks §5)."""

from __future__ import annotations

import time
from functools import cached_property
from typing import Any, NoReturn

from flask import Response

from xmpp_rest.api.authentication import WHY, elsewhere_text
from xmpp_rest.api.foreign import is_misused
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.hooks.bodies import BadBody, TooLarge, UnknownType, received
from xmpp_rest.api.hooks.credentials import NO_HOOKS, token_in
from xmpp_rest.api.hooks.failures import STATUS, failure_of
from xmpp_rest.api.hooks.incoming import fields_of
from xmpp_rest.api.hooks.reached_by_get import GetRequest, may_deliver
from xmpp_rest.api.hooks.taking import READ, TakenRequest
from xmpp_rest.api.hooks.unknown import note_wrong
from xmpp_rest.api.resource import ApiResource
from xmpp_rest.auth.authorization import HOOKS
from xmpp_rest.auth.caller import Caller, Denial, DenialReason
from xmpp_rest.auth.scopes import Use
from xmpp_rest.errors import ERRORS
from xmpp_rest.http.problem import render_problem
from xmpp_rest.http.resource import Stop
from xmpp_rest.request_notes import note_hook
from xmpp_rest.service.hooks.hook import Hook
from xmpp_rest.service.hooks.signatures import is_signed, names_signature
from xmpp_rest.service.limits.limits import name_of_token

NO_HOOK = "There is no hook with this token"
WRONG = "The token is unknown, or that of another hook; or name and password are wrong, or this is not your hook"
MISSING = "Send the token of the hook as Bearer, its URL with the token, or name and password of its owner"
BEARER = 'Bearer realm="hooks"'
UNPROVEN = "no such secret is known"
"""Signs in place of a secret where there is none, so that time says nothing."""


class DeliveryResource(ApiResource):
    """Base of the URLs of hooks. What a browser or a proxy asks about representations is ignored: there is one. Type and coding of a
    body are looked at where it is read, so that the answer is in the words of the format.
    """

    ignored_fields = frozenset(
        ("Accept", "Accept-Language", "Accept-Charset", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "Range",
         "Content-Encoding", "Content-Type")
    )  # fmt: skip

    oauth_token = ""
    """The name of the bucket of the OAuth token that the hook's owner has sent, which counts for its limit; "" for another proof."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    @cached_property
    def hook(self) -> Hook | None:
        """The hook that the request proves to have the token of."""
        raise NotImplementedError

    def refuse_unknown(self) -> NoReturn:
        """End a request without a hook."""
        raise NotImplementedError

    def allowed_methods(self) -> list[str]:
        if self.request.method in ("POST", "PUT", "OPTIONS"):
            return ["OPTIONS", "POST", "PUT"]
        if self.hook is None or not self.hook.get:
            return ["OPTIONS", "POST", "PUT"]
        if self.request.method != "GET" or may_deliver(self.request):
            return ["GET", "OPTIONS", "POST", "PUT"]
        body, content_type = render_problem(405, {"detail": "A GET to this hook sends what is in its query as msg or payload; else POST"})
        raise Stop(Response(body, 405, {"Allow": "GET, OPTIONS, POST, PUT"}, content_type=content_type))

    def is_authorized(self) -> bool:
        if self.request.method != "OPTIONS" and self.hook is None:
            self.refuse_unknown()
        return True

    def content_types_provided(self) -> list[tuple[tuple[str, str, str], str]]:
        return [(("application", "json", "*"), "deliver")]

    def content_types_accepted(self) -> list[tuple[Any, str]]:
        return [("*", "deliver")]

    def deliver(self) -> NoReturn:
        """Have the request handled, and answer it."""
        assert self.hook is not None
        note_hook(self.hook.name)
        taken = GetRequest if self.request.method == "GET" else TakenRequest
        raise Stop(taken(self.gateway, self.request, self.hook, self.args.get("path", ""), token=self.oauth_token).answer())

    def refuse(self, status: int, detail: str, **fields: str) -> NoReturn:
        """End the request with a problem document."""
        body, content_type = render_problem(status, {"detail": detail})
        raise Stop(Response(body, status, fields, content_type=content_type))

    def refuse_misused(self) -> None:
        """End a request by which a foreign page would act with what a browser remembers, which may be the token of a hook too."""
        if is_misused(self.request.environ, self.gateway.settings):
            self.refuse(403, ERRORS["foreign"].text)

    def refuse_token(self, status: int, detail: str, **fields: str) -> NoReturn:
        """End the request because of a token that is none; after too many from this address with 429."""
        if wait := note_wrong(self.gateway, self.request):
            self.refuse(429, "Too many unknown tokens came from your address; try again later", **{"Retry-After": str(wait)})
        self.refuse(status, detail, **fields)


class TokenDelivery(DeliveryResource):
    """`/hooks/TOKEN`, and whatever follows."""

    @cached_property
    def hook(self) -> Hook | None:
        return self.gateway.parts.hooks.by_token(self.args["token"])

    def refuse_unknown(self) -> NoReturn:
        self.refuse_token(404, NO_HOOK)


class NamedDelivery(DeliveryResource):
    """`/hooks/NAME`, where something else proves that the sender may use the hook."""

    @cached_property
    def token(self) -> str | None:
        """The token that came beside the path."""
        return token_in(self.request)

    @cached_property
    def hook(self) -> Hook | None:
        return self.find(str(self.args["name"]))

    def find(self, name: str) -> Hook | None:
        """The hook of this name, if something proves that the sender may use it."""
        if self.token is not None:
            self.refuse_misused()
            return self.gateway.parts.hooks.holds(name, self.token)
        if self.request.method != "POST":
            return None
        if "HTTP_AUTHORIZATION" in self.request.environ:
            return self._by_account(name)
        return self._by_signature(name)

    def _by_account(self, name: str) -> Hook:
        """The hook of the caller, or any where an administrator calls."""
        self.refuse_misused()
        parts, field = self.gateway.parts, self.request.environ["HTTP_AUTHORIZATION"]
        who = parts.authenticator.check(field, self.request.remote_addr or "", HOOKS, Use.ACCOUNT)
        if not isinstance(who, Caller):
            self._refuse_credentials(who)
        hook = parts.hooks.named(name)
        owner = who.jid != self.gateway.settings.hooks.address and hook is not None and hook.owner == who.jid
        if hook is None or not (who.admin or owner) or not parts.hooks.is_usable(hook):
            self.refuse(404, "There is no such hook, or it is somebody else's")
        self.oauth_token = name_of_token(field) if who.by_token else ""
        return hook

    def _refuse_credentials(self, who: Denial) -> NoReturn:
        if who.reason is DenialReason.THROTTLED:
            self.refuse(429, WHY[who.reason], **{"Retry-After": str(who.retry_after)})
        if who.account is not None:
            self.refuse(403, elsewhere_text(NO_HOOKS, who.account, self.gateway.settings.gateway.domain))
        if who.reason is DenialReason.FORBIDDEN:
            self.refuse(403, WHY[who.reason])
        self.refuse(401, WRONG, **{"WWW-Authenticate": HOOKS.challenge(self.gateway.settings)})

    def _by_signature(self, name: str) -> Hook | None:
        """The hook whose secret has signed the request; which takes as long where there is none."""
        fields = fields_of(self.request.environ)
        if not names_signature(fields):
            return None
        try:
            body = received(self.request, self.gateway.settings.hooks.size_limit)
        except (BadBody, TooLarge, UnknownType) as e:
            failure = failure_of(e)
            self.refuse(STATUS[failure.failure], failure.detail, **failure.fields)
        self.request.environ[READ] = body
        hook = self.gateway.parts.hooks.named(name)
        secret = (hook.secret if hook is not None and self.gateway.parts.hooks.is_usable(hook) else None) or UNPROVEN
        if not is_signed(secret, fields, body, time.time()) or secret is UNPROVEN:
            self.refuse_token(401, WRONG, **{"WWW-Authenticate": BEARER})
        return hook

    def challenges(self) -> str:
        """How a caller without credentials can prove itself."""
        return f"{BEARER}, {HOOKS.challenge(self.gateway.settings)}"

    def refuse_unknown(self) -> NoReturn:
        if self.token is None:
            self.refuse(401, MISSING, **{"WWW-Authenticate": self.challenges()})
        self.refuse_token(401, WRONG, **{"WWW-Authenticate": BEARER})
