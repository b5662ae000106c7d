"""The resource of commands: runs a command for a request, with the checks in the peer's order (commands-api §2)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Response, g
from werkzeug.exceptions import RequestEntityTooLarge

from xmpp_rest.api.commands import errors
from xmpp_rest.api.commands.arguments import Given, about_arguments, take
from xmpp_rest.api.commands.body import read_json, read_query
from xmpp_rest.api.commands.caller import principal_of
from xmpp_rest.api.commands.catalogue import Definition
from xmpp_rest.api.commands.fitting import best, fits
from xmpp_rest.api.commands.path import Target, target
from xmpp_rest.api.commands.reading_commands import READS
from xmpp_rest.api.commands.registry import Command, Registry
from xmpp_rest.api.commands.results import render
from xmpp_rest.api.commands.services import Services
from xmpp_rest.api.detail import did_you_mean
from xmpp_rest.api.foreign import SAFE, is_foreign, is_from_browser
from xmpp_rest.auth.authenticator import may_be_remembered
from xmpp_rest.auth.rights import HTTP, Permission, Principal, rights_of
from xmpp_rest.errors import GatewayError
from xmpp_rest.http.body import dump_json
from xmpp_rest.http.request import BadCoding, UnsupportedCoding, read_body
from xmpp_rest.http.resource import Resource, Stop

METHODS = ["GET", "POST", "OPTIONS"]
REFUSED_METHODS = ("PUT", "PATCH", "DELETE", "HEAD")
"""COMPAT ejabberd: 400, where RFC 9110 §15.5.6 has 405; and HEAD never runs a command (commands-api §1)."""
HOST_OF = {"add_rosteritem": "localhost", "delete_rosteritem": "localhost"}  # there `host` is the contact's domain (commands-api §15)
NEIGHBOURS = ("messages", "rooms", "contacts", "sse")  # what the client API has below /api
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
    offer: Command
    version: int  # of the API: how the result looks
    values: dict[str, Any]

    def __init__(self, services: Services, registry: Registry) -> None:
        self.services = services
        self.registry = registry
        self.settings = services.gateway.settings

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
        try:
            return read_body(self.request, limit)
        except RequestEntityTooLarge as e:
            raise errors.too_large(limit) from e
        except UnsupportedCoding as e:
            raise errors.unsupported(str(e.description)) from e
        except BadCoding as e:
            raise errors.bad_request() from e

    def is_authorized(self) -> bool:
        if not self.registry.knows(self.target.name):
            # COMPAT ejabberd: before credentials are looked at
            raise errors.unknown_name(self.target.name, [*self.registry.names, *NEIGHBOURS])
        self._require_no_foreign_page()
        self.principal = principal_of(self.services, self.request.environ.get("HTTP_AUTHORIZATION"), self.request.remote_addr or "")
        return True

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
        """COMPAT ejabberd: version and arguments are judged before rights."""
        self.offer = self._find()
        definition = self.offer.definition
        try:
            self.values = take(definition, self.given)
        except errors.CommandFailure as e:
            raise e.explained(about_arguments(definition, self.given)) from e
        principal, permission = self.principal or Principal(), permission_for(definition, self.values)
        if not rights_of(self.settings).allow(principal, permission, HTTP):
            raise errors.forbidden(self._why_not(principal, permission))
        return False

    def _why_not(self, principal: Principal, permission: Permission) -> str:
        """What stands against a call that no rule opens."""
        domain = self.settings.gateway.domain
        if principal.jid is None:
            return f"The call has no credentials: send Basic with an administrator's address, such as admin@{domain}, and password"
        if not principal.admin:
            return f"{principal.jid} is not an administrator ([auth] admins), and no section [rights.NAME] opens {permission.name} to it"
        if permission.host is not None and permission.host.lower() != domain:
            return f"{permission.host[:100]!r} is not hosted here; the domain is {domain!r}{did_you_mean(permission.host, [domain])}"
        return f"The token's scopes open {permission.name} by no rule; administration needs the scope ejabberd:admin"

    def _find(self) -> Command:
        """The command in the version that counts."""
        wanted = self.settings.commands.default_version if self.target.version is None else self.target.version
        self.version = min(wanted, self.registry.newest)
        offer = self.registry.find(self.target.name, self.version)
        if self.target.version is None and self.settings.commands.fit_version and not fits(offer.definition, self.given):
            older = best(self.registry.older(self.target.name, offer.definition.version), self.given)
            if older is not None:
                self.version = older.definition.version
                return older
        return offer

    def content_types_provided(self) -> list[tuple[str, str]]:
        return [("application/json", "run")]

    def content_types_accepted(self) -> list[tuple[str, str]]:
        return [("*", "run_posted")]

    def run(self) -> bytes:
        """The answer to a call that may be made. Raises CommandFailure, and whatever goes wrong inside the command."""
        definition, run = self.offer
        try:
            return dump_json(render(run(self.services, *self.values.values()), definition.result, self.version))
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


def permission_for(definition: Definition, values: dict[str, Any]) -> Permission:
    """What the rights are asked about a command with these arguments."""
    return Permission(definition.name, definition.tags, values.get(HOST_OF.get(definition.name, "host")))
