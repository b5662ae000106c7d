"""`POST /oauth/token` and `/oauth/revoke`: tokens for passwords, and their revocation (RFC 6749 §4.3, RFC 7009)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn
from urllib.parse import parse_qsl

from flask import Response
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge

from drivers import StorageError
from xmpp_rest.api.commands.audit import record
from xmpp_rest.api.failures import retry_after
from xmpp_rest.api.foreign import is_misused, is_own_page
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.resource import ApiResource
from xmpp_rest.auth import lifetimes
from xmpp_rest.auth.authorization import OAUTH_CLIENT, hosted_name, read_authorization
from xmpp_rest.auth.caller import Caller, Denial, DenialReason
from xmpp_rest.auth.clients import Clients
from xmpp_rest.auth.rights import Principal
from xmpp_rest.auth.scopes import ADMIN_SCOPE, is_scope
from xmpp_rest.errors import ERRORS, GatewayError, storage_failed
from xmpp_rest.http.body import dump_json
from xmpp_rest.http.request import BadCoding, read_body
from xmpp_rest.http.resource import Stop
from xmpp_rest.protocol.jid import JID, InvalidJID
from xmpp_rest.request_notes import note_account

FORM = ("application", "x-www-form-urlencoded", "*")
UNCACHED = {"Cache-Control": "no-store", "Pragma": "no-cache"}  # RFC 6749 §5.1
ACCOUNT = "sasl_auth"  # the scope where none is asked for
CONSOLE = {"client_id": "xmpp-rest-console", "scope": ACCOUNT, "ttl": "3600"}
"""What /console/ asks for: nobody who pretends to be that page gets a token for longer, or for more."""
MAX_BODY = 16_384  # bytes
_SEPARATOR = re.compile("[ ,]")  # RFC 6749 §3.3 knows the blank; ProcessOne's client hands on commas


class OAuthResource(ApiResource):
    """A form in, JSON out."""

    def __init__(self, gateway: Gateway, names: frozenset[str]) -> None:
        self.gateway = gateway
        self.names = names  # of commands, each of which is a scope
        domain = gateway.settings.gateway.domain
        self.tokens, self.clients = gateway.parts.tokens, Clients(gateway.driver, domain)

    def allowed_methods(self) -> list[str]:
        return ["POST", "OPTIONS"]

    def render_error(self, status: int) -> tuple[bytes | str, str]:
        if status == 415:
            self.problem["detail"] = "Content-Type must be application/x-www-form-urlencoded"
        return super().render_error(status)

    def content_types_accepted(self) -> list[tuple[tuple[str, str, str], str]]:
        return [(FORM, "from_form")]

    def content_types_provided(self) -> list[tuple[tuple[str, str, str], str]]:
        return [(("application", "json", "*"), "to_json")]

    def to_json(self) -> NoReturn:
        raise AssertionError("only POST is allowed")

    def from_form(self) -> NoReturn:
        form = self._form()
        if is_misused(self.request.environ, self.gateway.settings):
            self.fail(403, "access_denied", ERRORS["foreign"].text)
        try:
            self.require_client(form)
            self.act(form)
        except StorageError as e:
            error = storage_failed(e)
            self.fail(error.row.status, "server_error", "The storage failed; try again later", **retry_after(error))

    def act(self, form: Mapping[str, str]) -> NoReturn:
        """Answer a form of a client that may ask."""
        raise NotImplementedError

    def _form(self) -> dict[str, str]:
        try:
            body = read_body(self.request, MAX_BODY)
        except RequestEntityTooLarge:
            self.fail(413, "invalid_request", f"The form is larger than {MAX_BODY} bytes")
        except BadCoding as e:
            self.fail(400, "invalid_request", _printable(str(e.description)))
        return self.read(MultiDict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)))

    def read(self, fields: MultiDict[str, str]) -> dict[str, str]:
        """The fields that say something (RFC 6749 §3.2)."""
        if repeated := [name for name in fields if len(fields.getlist(name)) > 1]:
            self.fail(400, "invalid_request", f"{_printable(repeated[0])} is there twice")
        return {name: value for name, value in fields.items() if value}

    def require_client(self, form: Mapping[str, str]) -> None:
        """End the request of a client that may not ask. One that says who it is must prove it (RFC 6749 §2.3, §3.2.1)."""
        if self.names_client(form) and not self.is_client(form):
            self.refuse_client("There is no such client, or its secret is wrong")

    def names_client(self, form: Mapping[str, str]) -> bool:
        """Whether the client says who it is."""
        return "Authorization" in self.request.headers or "client_id" in form

    def is_client(self, form: Mapping[str, str]) -> bool:
        """Whether it is a registered one, and proves it: by Basic, or in the form."""
        credentials = read_authorization(self.request.headers.get("Authorization"))
        given = credentials.pair if credentials else None
        if given is None and "client_id" in form:
            given = form["client_id"], form.get("client_secret", "")
        address = self.request.remote_addr or ""
        if given is None:
            self.gateway.parts.authenticator.malformed(None, address)
            return False
        who = self.gateway.parts.authenticator.guess_noted(given[0], f"client {given[0]}", address, lambda: self.clients.check(*given))
        if isinstance(who, Denial) and who.reason is DenialReason.THROTTLED:
            self.fail(429, "invalid_client", "Too many wrong secrets; try again later", **{"Retry-After": str(who.retry_after)})
        return who is None

    def refuse_client(self, text: str) -> NoReturn:
        """End the request with an error of RFC 6749 §5.2."""
        header = "Authorization" in self.request.headers
        challenge = {"WWW-Authenticate": OAUTH_CLIENT.challenge(self.gateway.settings)} if header else {}
        self.fail(401, "invalid_client", text, **challenge)

    def fail(self, status: int, error: str, text: str, **fields: str) -> NoReturn:
        """End the request with an error of RFC 6749 §5.2."""
        self.answer(status, {"error": error, "error_description": text}, **fields)

    def answer(self, status: int, body: Mapping[str, Any], **fields: str) -> NoReturn:
        """End the request."""
        raise Stop(Response(dump_json(body), status, UNCACHED | fields, content_type="application/json"))


class Granting(OAuthResource):
    """Makes tokens for passwords."""

    default_scope = ACCOUNT
    place: ClassVar[str]
    """How the log names it."""

    def grant(self, form: Mapping[str, str]) -> dict[str, Any]:
        """A token for the password in the form, with the members of RFC 6749 §4.2.2 and §5.1."""
        if missing := [name for name in ("username", "password") if name not in form]:
            self.fail(400, "invalid_request", f"{missing[0]} is missing")
        seconds = self._seconds(form.get("ttl"))
        owner = self._owner(form)
        scopes = self._scopes(_SEPARATOR.split(form.get("scope", self.default_scope)), owner)
        token = self.tokens.issue(owner.jid, scopes, seconds)
        self._audit(owner.jid, scopes, 200)
        return {"access_token": token, "token_type": "bearer", "expires_in": seconds, "scope": " ".join(scopes)}

    def _seconds(self, ttl: str | None) -> int:
        try:
            return lifetimes.of_form(ttl, self.gateway.settings.oauth)
        except ValueError as e:
            self.fail(400, "invalid_request", str(e))

    def _owner(self, form: Mapping[str, str]) -> Caller:
        """The account that the password opens; a wrong one counts as everywhere else."""
        name, address = form["username"], self.request.remote_addr or ""
        try:
            jid = hosted_name(name, self.gateway.settings.gateway.domain)
        except InvalidJID:
            self.gateway.parts.authenticator.malformed(name, address)
            self.fail(400, "invalid_grant", "username is not an address")
        who = self.gateway.parts.authenticator.password(jid, form["password"], address)
        if not isinstance(who, Caller):
            self._refuse(jid, who)
        note_account(who.jid)
        return who

    def _refuse(self, jid: JID, who: Denial) -> NoReturn:
        self._audit(jid, [], 400)
        if who.reason is DenialReason.ELSEWHERE:
            hosted = _printable(self.gateway.settings.gateway.domain)
            self.fail(400, "invalid_grant", f"Tokens are for accounts of {hosted}; use the password itself")
        if who.reason is DenialReason.THROTTLED:
            wait = {"Retry-After": str(who.retry_after)}
            self.fail(429, "invalid_grant", "Too many wrong passwords; try again later", **wait)
        self.fail(400, "invalid_grant", "There is no such account, or its password is wrong")

    def _scopes(self, asked: list[str], owner: Caller) -> list[str]:
        scopes = sorted({scope for scope in asked if scope})
        for scope in scopes:
            if not is_scope(scope, self.names) or (scope == ADMIN_SCOPE and not owner.admin):
                self.fail(400, "invalid_scope", f"{_printable(scope)} is not a scope for this account")
        return scopes

    def _audit(self, jid: JID, scopes: list[str], status: int) -> None:
        record(Principal(jid), self.request.remote_addr or "", self.place, [("scope", " ".join(scopes))], status)


class PasswordGrant(Granting):
    """The password grant."""

    place = "oauth/token"

    def require_client(self, form: Mapping[str, str]) -> None:
        """COMPAT ejabberd: `oauth_client_id_check`, where `allow` looks at no client at all."""
        match self.gateway.settings.oauth.client_check:
            case "deny":
                self.refuse_client("No program gets a token for a password here ([oauth] client_check = deny)")
            case "db" if self._is_console(form):
                pass
            case "db" if not self.names_client(form):
                self.refuse_client("client_id is missing: an administrator registers a client with oauth_add_client_password")
            case "db":
                super().require_client(form)

    def _is_console(self, form: Mapping[str, str]) -> bool:
        """Whether /console/ asks: a page of this gateway, which nobody has to register (decision 0051), and which has no secret."""
        environ, settings = self.request.environ, self.gateway.settings
        asks = all(form.get(name) == value for name, value in CONSOLE.items())
        alone = "client_secret" not in form and "HTTP_AUTHORIZATION" not in environ
        return settings.pages.console and asks and alone and is_own_page(environ, settings)

    def act(self, form: Mapping[str, str]) -> NoReturn:
        if "grant_type" not in form:
            self.fail(400, "invalid_request", "grant_type is missing")
        if form["grant_type"] != "password":
            self.fail(400, "unsupported_grant_type", "The only grant here is password")
        self.answer(200, self.grant(form))


class Revocation(OAuthResource):
    """The holder of a token may revoke it (RFC 7009 §2.1)."""

    def act(self, form: Mapping[str, str]) -> NoReturn:
        if "token" not in form:
            self.fail(400, "invalid_request", "token is missing")
        token = self.tokens.check(form["token"])
        if token:
            self.tokens.revoke(token.hash)
            record(Principal(token.owner), self.request.remote_addr or "", "oauth/revoke", [], 200)
        self.answer(200, {})  # also for what is not a token: RFC 7009 §2.2


def failed(error: GatewayError) -> Response:
    """What went wrong on our side, as RFC 6749 §5.2 would have it."""
    body = dump_json({"error": "server_error", "error_description": _printable(error.text)})
    return Response(body, error.row.status, UNCACHED | retry_after(error), content_type="application/json")


def _printable(text: str) -> str:
    """RFC 6749 §5.2: printable ASCII without quotation marks and backslashes."""
    return "".join(c if " " <= c <= "~" and c not in '"\\' else "?" for c in text[:100])
