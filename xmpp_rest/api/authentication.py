"""HTTP authentication for resources (RFC 9110 §11): the caller of a request, by the policy of its dialect."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar, NoReturn

from flask import Response

from xmpp_rest.api.eventsource import Admission
from xmpp_rest.api.foreign import SAFE, is_misused
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.rate_limits import note_caller
from xmpp_rest.api.resource import ApiResource
from xmpp_rest.auth.authorization import OPERATION, Policy
from xmpp_rest.auth.caller import Caller, CallerKind, Denial, DenialReason
from xmpp_rest.auth.scopes import Use
from xmpp_rest.errors import ERRORS, GatewayError
from xmpp_rest.http.problem import render_problem
from xmpp_rest.http.resource import Stop
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.accounts.ports import AccountServices

WHY: Mapping[DenialReason, str] = {
    DenialReason.MISSING: "Send Basic with user name and password, or Bearer with a token",
    DenialReason.WRONG: "There is no such account, or its password is wrong; or the token is no longer good",
    DenialReason.FORBIDDEN: "The token is good, but its scopes are not for this",
    DenialReason.ELSEWHERE: "This is for accounts of the gateway's own domain only",
    DenialReason.THROTTLED: "Too many wrong credentials; Retry-After says when to try again",
}


def elsewhere_text(text: str, account: JID, hosted: str) -> str:
    """The sentence for an account of another server, where something is not for such."""
    return text.format(account=account, domain=account.domain, hosted=hosted)


class Authenticated(ApiResource):
    """A resource that knows its caller: steps S6 to S8 of the state machine.

    A subclass that defines `forbidden` itself must ask this one first.
    """

    head_as_get = True
    gateway: Gateway
    caller: Caller
    """Who asks; set once the credentials are good."""
    open_methods: ClassVar[frozenset[str]] = frozenset({"OPTIONS"})
    """Methods that need no credentials: a browser sends none with a preflight (Fetch §3.2.2)."""
    uses: ClassVar[Mapping[str, Use]] = {}
    """What a method is about where that is not the account itself: tokens may be good for no more."""
    policy: ClassVar[Policy] = OPERATION
    """How the dialect reads the Authorization field."""

    elsewhere: ClassVar[str] = ERRORS["elsewhere"].text
    """What an account of another server is told where this is not for such: with {account}, its {domain}, and the {hosted} one."""

    _denial: Denial | None = None

    def authenticate(self) -> Caller | Denial:
        """Whom the Authorization field proves. Raises GatewayError where an account of another server cannot be let in now."""
        address = self.request.remote_addr or ""
        check = self.gateway.parts.authenticator.check
        return check(self.authorization, address, self.policy, self.use(), foreign=self.takes_foreign)

    @property
    def takes_foreign(self) -> bool:
        """Whether the request may be one of an account of another server, where the policy is for such: else 403, before a login there."""
        return True

    def refuse_elsewhere(self, text: str) -> NoReturn:
        """End the request of an account of another server, which is not let in here (accounts-anywhere §7.5)."""
        raise GatewayError("elsewhere", text)

    @property
    def services(self) -> AccountServices:
        """What is done for the caller's account, wherever it lives."""
        parts = self.gateway.parts
        return parts.foreign if self.caller.kind is CallerKind.FOREIGN else parts.hosted

    @property
    def authorization(self) -> str | None:
        """The value of the Authorization field."""
        return self.request.environ.get("HTTP_AUTHORIZATION")

    def use(self) -> Use:
        """What the request is about: a token may be good for no more than some uses."""
        return self.uses.get(self.request.method, Use.ACCOUNT)

    def why_denied(self, reason: DenialReason) -> str:
        """The detail of a problem document for credentials that are not accepted."""
        return self.policy.remark(self.authorization, self.gateway.settings.gateway.domain) or WHY[reason]

    def admits(self, caller: Caller) -> bool:
        """Whether this caller is admitted; else 403."""
        return True

    def changes(self) -> bool:
        """Whether the request would change anything, by its method (RFC 9110 §9.2.1)."""
        return self.request.method not in SAFE

    def refuse_foreign_page(self) -> NoReturn:
        """End a request that a foreign page has caused: 403."""
        body, content_type = render_problem(403, {"detail": ERRORS["foreign"].text})
        raise Stop(Response(body, 403, content_type=content_type))

    def is_authorized(self) -> bool | str:
        if self.request.method in self.open_methods:
            return True
        if is_misused(self.request.environ, self.gateway.settings) and self.changes():
            self.refuse_foreign_page()  # before the password is looked at: the page cannot tell whether one is remembered
        who = self.authenticate()
        if isinstance(who, Caller):
            self.caller = who
            if self.use() is Use.SEND:
                note_caller(self.request.environ, self.gateway, who, self.authorization)
            return True
        if who.account is not None:
            self.refuse_elsewhere(elsewhere_text(self.elsewhere, who.account, self.gateway.settings.gateway.domain))
        self._denial = who
        self.problem.setdefault("detail", self.why_denied(who.reason))
        return self.policy.challenge(self.gateway.settings) if self.policy.status(who.reason) == 401 else True

    def admission(self) -> Admission:
        """Whether the credentials that the request came with are good even later: what goes on for long should look."""
        key = self.authorization, self.policy
        return Admission(key, partial(self.gateway.parts.authenticator.still_valid, *key))

    def forbidden(self) -> bool:
        if self._denial is not None:
            return self.policy.status(self._denial.reason) == 403
        return self.request.method not in self.open_methods and not self.admits(self.caller)

    def rate_limited(self) -> int | bool:
        return self._denial.retry_after if self._denial is not None else False
