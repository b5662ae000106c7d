"""`POST /api` with `application/x-ndjson`: runs a body of many commands, and answers as many lines (commands-api §18)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from http import HTTPStatus
from typing import NoReturn

from flask import Request
from werkzeug.exceptions import UnsupportedMediaType

from xmpp_rest.api.commands import errors
from xmpp_rest.api.commands.audit import record
from xmpp_rest.api.commands.batch import Answer, BatchCaller, CommandBatch
from xmpp_rest.api.commands.caller import principal_of
from xmpp_rest.api.commands.limited import charge, note_principal
from xmpp_rest.api.commands.path import batch_target
from xmpp_rest.api.commands.registry import Registry
from xmpp_rest.api.commands.services import Services
from xmpp_rest.api.foreign import is_foreign
from xmpp_rest.api.lines import NDJSON, BodyLimits, answer_lines, grouped, whole_lines
from xmpp_rest.auth.authenticator import may_be_remembered
from xmpp_rest.auth.rights import Principal
from xmpp_rest.errors import GatewayError
from xmpp_rest.http.client_gone import ClientConnection
from xmpp_rest.http.request import BadCoding
from xmpp_rest.http.resource import Resource, Stop
from xmpp_rest.protocol.codecs import media_type


def is_batch(request: Request, base: int | None) -> bool:
    """Whether a request is for many commands; without a command in its path nothing else is."""
    is_lines = request.method == "POST" and media_type(request.environ.get("CONTENT_TYPE")) == NDJSON
    return is_lines and batch_target(request, base) is not None


class BatchCall(Resource):
    """Many calls of commands in one request. What is refused as a whole is answered as a call is."""

    ignored_fields = frozenset({"Content-Type", "Accept", "Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"})

    principal: Principal

    def __init__(self, services: Services, registry: Registry) -> None:
        self.services = services
        self.settings = services.gateway.settings
        self.registry = registry
        self.bounds = BodyLimits(
            self.settings.rest.stanza_size_limit, self.settings.rest.batch_stanzas, self.settings.rest.batch_size_limit
        )

    def allowed_methods(self) -> list[str]:
        return ["POST"]

    def render_error(self, status: int) -> tuple[bytes | str, str]:
        return errors.body(status, HTTPStatus(status).phrase), "application/json"

    def is_authorized(self) -> bool:
        environ = self.request.environ
        if is_foreign(environ, self.settings) and may_be_remembered(environ.get("HTTP_AUTHORIZATION")):
            raise self._refused(errors.foreign())  # also without credentials: rules may open commands to networks
        try:
            self.principal = self._principal()
        except errors.CommandFailure as e:
            raise self._refused(e) from e
        note_principal(self.services, self.principal, environ)
        return True

    def _refused(self, error: errors.CommandFailure) -> errors.CommandFailure:
        """The error, of which the audit has a line."""
        record(None, self._address(), "", [], error.status)
        return error

    def _principal(self) -> Principal:
        return principal_of(self.services, self.request.environ.get("HTTP_AUTHORIZATION"), self._address())

    def _address(self) -> str:
        return self.request.remote_addr or ""

    def valid_entity_length(self) -> bool:
        if (self.request.content_length or 0) > self.bounds.body:
            raise errors.too_large(self.bounds.body)
        return True

    def content_types_accepted(self) -> list[tuple[str, str]]:
        return [("*", "from_lines")]

    def from_lines(self) -> NoReturn:
        """Run what each line says; 200 with a line for each."""
        anonymous = "HTTP_AUTHORIZATION" not in self.request.environ
        charge(self.request.environ)  # one request, whatever is in it
        try:
            with self.services.unproven.reading(self.bounds.line) if anonymous else nullcontext():
                response = answer_lines(self._answers())
        except GatewayError as e:
            raise errors.of_service(e) from e
        except UnsupportedMediaType as e:
            raise errors.unsupported(str(e.description)) from e
        except BadCoding as e:
            raise errors.bad_request(str(e.description)) from e
        raise Stop(response)

    def _answers(self) -> Iterator[Answer]:
        target, gone = batch_target(self.request, self.args.get("base_version")), ClientConnection(self.request.environ).gone
        caller = BatchCaller(self._address(), self._principal, gone)
        batch = CommandBatch(self.services, self.registry, caller, self.bounds, target.version if target else None)
        yield from batch.run(grouped(whole_lines(self.request, self.bounds)))
