"""HTTP authentication of resources; an API overrides what it does differently (RFC 9110 §11)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NoReturn

from flask import Response

from xmpp_rest.api.foreign import REFUSAL, SAFE, is_misused
from xmpp_rest.auth.credentials import Caller, Kind, Outcome, Refused
from xmpp_rest.auth.scopes import Use
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.http.problem import render_problem
from xmpp_rest.http.resource import Resource, Stop

WHY: Mapping[Outcome, str] = {
    Outcome.MISSING: "Send Basic with user name and password, or Bearer with a token",
    Outcome.WRONG: "There is no such account, or its password is wrong; or the token is no longer good",
    Outcome.FORBIDDEN: "The token is good, but its scopes are not for this",
    Outcome.THROTTLED: "Too many wrong credentials; Retry-After says when to try again",
}


class Authenticated(Resource):
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
    status_of: ClassVar[dict[Outcome, int]] = {
        Outcome.MISSING: 401, Outcome.WRONG: 401, Outcome.FORBIDDEN: 403, Outcome.THROTTLED: 429,
    }  # fmt: skip
    """What each way to have no caller is answered with: 401, 403 or 429."""

    _refused: Refused | None = None

    def authenticate(self, field: str | None) -> Caller | Refused:
        """Whom the value of the Authorization field proves: an account, for the fixed token of /rest is for nothing else."""
        use = self.uses.get(self.request.method, Use.ACCOUNT)
        who = self.gateway.parts.authenticator.check(field, self.request.remote_addr or "", use)
        return Refused(Outcome.WRONG) if isinstance(who, Caller) and who.kind is not Kind.ACCOUNT else who

    def challenge(self) -> str:
        """The WWW-Authenticate field of a 401 (RFC 9110 §11.6.1)."""
        return f'Basic realm="{self.gateway.settings.gateway.domain}"'

    def why_refused(self, outcome: Outcome) -> str:
        """The detail of a problem document for credentials that are not accepted."""
        return WHY[outcome]

    def admits(self, caller: Caller) -> bool:
        """Whether this caller is admitted; else 403."""
        return True

    def changes(self) -> bool:
        """Whether the request would change anything, by its method (RFC 9110 §9.2.1)."""
        return self.request.method not in SAFE

    def refuse_foreign(self) -> NoReturn:
        """End a request that a foreign page has caused: 403."""
        body, content_type = render_problem(403, {"detail": REFUSAL})
        raise Stop(Response(body, 403, content_type=content_type))

    def is_authorized(self) -> bool | str:
        if self.request.method in self.open_methods:
            return True
        if is_misused(self.request.environ, self.gateway.settings) and self.changes():
            self.refuse_foreign()  # before the password is looked at: the page cannot tell whether one is remembered
        who = self.authenticate(self.request.environ.get("HTTP_AUTHORIZATION"))
        if isinstance(who, Caller):
            self.caller = who
            return True
        self._refused = who
        self.problem.setdefault("detail", self.why_refused(who.outcome))
        return self.challenge() if self.status_of[who.outcome] == 401 else True

    def still_admitted(self) -> bool:
        """Whether the credentials that the request came with are good even now: what goes on for long should look. Raises StorageError."""
        return self.gateway.parts.authenticator.holds(self.request.environ.get("HTTP_AUTHORIZATION"))

    def forbidden(self) -> bool:
        if self._refused is not None:
            return self.status_of[self._refused.outcome] == 403
        return self.request.method not in self.open_methods and not self.admits(self.caller)

    def rate_limited(self) -> int | bool:
        return self._refused.retry_after if self._refused is not None else False
