"""The resource of commands: runs a command for a request, with the checks in the peer's order (commands-api §2)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from http import HTTPStatus

from flask import Response, g
from werkzeug.exceptions import RequestEntityTooLarge

from xmpp_rest.api.commands import errors
from xmpp_rest.api.commands.arguments import Given
from xmpp_rest.api.commands.body import read_json, read_query
from xmpp_rest.api.commands.caller import principal_of
from xmpp_rest.api.commands.limited import SENDING, charge, note_principal
from xmpp_rest.api.commands.path import Target, target
from xmpp_rest.api.commands.prepare import CallPreparer, PreparedCall
from xmpp_rest.api.commands.reading_commands import READS
from xmpp_rest.api.commands.registry import Registry
from xmpp_rest.api.commands.services import Services
from xmpp_rest.api.commands.unproven import SMALL
from xmpp_rest.api.foreign import SAFE, is_foreign, is_from_browser
from xmpp_rest.auth.authenticator import may_be_remembered
from xmpp_rest.auth.rights import Principal
from xmpp_rest.errors import GatewayError
from xmpp_rest.http.request import BadCoding, UnsupportedCoding, read_body
from xmpp_rest.http.resource import Resource, Stop

METHODS = ["GET", "POST", "OPTIONS"]
REFUSED_METHODS = ("PUT", "PATCH", "DELETE", "HEAD")
"""COMPAT ejabberd: 400, where RFC 9110 §15.5.6 has 405; and HEAD never runs a command (commands-api §1)."""
PREFLIGHT = {"Content-Type": "text/plain", "Access-Control-Allow-Methods": "GET, POST, OPTIONS", "Access-Control-Max-Age": "86400"}


class Call(Resource):
    """One call of a command. Callbacks in the order in which the machine asks them."""

    # COMPAT ejabberd: the answer is the outcome of a call and not a representation, so there is nothing to negotiate or to compare.
    ignored_fields = frozenset(
        {"Content-Type", "Accept", "Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"}
    )
    target: Target
    given: Given
    principal: Principal | None = None
    wrong: errors.CommandFailure | None = None  # what is to be said of wrong credentials
    prepared: PreparedCall

    def __init__(self, services: Services, registry: Registry) -> None:
        self.services = services
        self.settings = services.gateway.settings
        self.calls = CallPreparer(registry, self.settings)

    def init(self) -> None:
        self.target, self.given = target(self.request, self.args.get("base_version")), []
        g.call = self  # for the audit

    def known_methods(self) -> frozenset[str]:
        return frozenset((self.request.method,))  # none is 501 here

    def allowed_methods(self) -> list[str]:
        if self.request.method in REFUSED_METHODS or (self.request.method not in METHODS and not self.target.name):
            raise errors.no_name()
        return METHODS

    def render_error(self, status: int) -> tuple[bytes | str, str]:
        return errors.body(status, HTTPStatus(status).phrase), "application/json"

    def malformed_request(self) -> bool:
        if not self.target.name:
            raise errors.no_name()
        self.given = read_query(self.request.query_string) if self.request.method == "GET" else read_json(self._body())
        return False

    def _body(self) -> bytes:
        limit = self.services.gateway.settings.server.body_limit
        length = self.request.content_length
        size = limit if length is None else min(length, limit)
        try:
            with nullcontext() if size > SMALL and self._is_proven() else self.services.unproven.reading(size):
                return read_body(self.request, limit)
        except GatewayError as e:
            raise errors.of_service(e) from e
        except RequestEntityTooLarge as e:
            raise errors.too_large(limit) from e
        except UnsupportedCoding as e:
            raise errors.unsupported(str(e.description)) from e
        except BadCoding as e:
            raise errors.bad_request() from e

    def is_authorized(self) -> bool:
        self.calls.require_known(self.target.name)
        self._require_no_foreign_page()
        if self.wrong is not None:
            raise self.wrong
        self.principal = self._caller()  # again: reading may have taken long
        if self.target.name in SENDING:
            note_principal(self.services, self.principal, self.request.environ)
        return True

    def _is_proven(self) -> bool:
        """Whether credentials were sent, and are right."""
        try:
            self._caller()
        except errors.CommandFailure as e:
            self.wrong = e
        return self.wrong is None and "HTTP_AUTHORIZATION" in self.request.environ

    def _caller(self) -> Principal:
        return principal_of(self.services, self.request.environ.get("HTTP_AUTHORIZATION"), self.request.remote_addr or "")

    def _require_no_foreign_page(self) -> None:
        """Nobody's page may change anything by what a browser adds, or by where it is: rules may open commands to networks."""
        environ = self.request.environ
        if self.target.name in READS:
            return
        if self.request.method in SAFE and is_from_browser(environ):
            raise errors.change_by_get()
        if is_foreign(environ, self.settings) and may_be_remembered(environ.get("HTTP_AUTHORIZATION")):
            raise errors.foreign()

    def forbidden(self) -> bool:
        principal = self.principal or Principal()
        self.prepared = self.calls.prepare(self.target, self.given, principal)
        if self.target.name in SENDING:
            charge(self.request.environ)
        return False

    def content_types_provided(self) -> list[tuple[str, str]]:
        return [("application/json", "run")]

    def content_types_accepted(self) -> list[tuple[str, str]]:
        return [("*", "run_posted")]

    def run(self) -> bytes | Iterator[bytes]:
        """The answer to a call that may be made. Raises CommandFailure, and whatever goes wrong inside the command."""
        try:
            body = self.prepared.body(self.services)
            # a client of HTTP/1.0 would take what breaks off for all (RFC 9112 §8)
            old = self.request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0"
            return b"".join(body) if old and not isinstance(body, bytes) else body
        except GatewayError as e:
            raise errors.of_service(e) from e

    def run_posted(self) -> bool:
        self.set_body(self.run())
        return True


class Preflight(Resource):
    """OPTIONS: what a browser asks before it lets a page call (Fetch §3.2)."""

    def allowed_methods(self) -> list[str]:
        return METHODS

    def options(self) -> None:
        # COMPAT ejabberd: without a name 400, with the same header fields
        raise Stop(Response(b"", 200 if target(self.request).name else 400, PREFLIGHT))
