"""The base of all resources of /rest: credentials, formats, errors (rest-api §2, §3, §10, §11)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NoReturn

from flask import Response
from werkzeug.exceptions import RequestEntityTooLarge

from xmpp_rest.api.authentication import Authenticated
from xmpp_rest.api.detail import detail_field
from xmpp_rest.api.failures import retry_after
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.rest.denied import error_of_credentials
from xmpp_rest.api.rest.errors import RestFailure, failure, failure_of, failure_of_status, render
from xmpp_rest.auth.authorization import REST, read_authorization
from xmpp_rest.auth.caller import Caller, Denial, DenialReason
from xmpp_rest.errors import GatewayError
from xmpp_rest.http.fields import cached
from xmpp_rest.http.request import BadCoding, read_body
from xmpp_rest.http.resource import Stop
from xmpp_rest.protocol.codecs import CODECS, REPLY_TYPES, any_parameters, reply_types

WILDCARD = "*/*"


def read_content_type(sent: str) -> str:
    """COMPAT mod_rest: what follows a blank is cut off, as parameters are."""
    first, _, rest = sent.partition(";")[0].strip().partition(" ")
    return first if rest else sent


def read_accept(sent: str) -> str:
    """COMPAT mod_rest: an Accept that names none of the formats is ignored (RFC 9110 §12.4.1 allows that)."""
    accept = sent.lower()
    return sent if WILDCARD in accept or any(t in accept for t in REPLY_TYPES) else ""


class Failed(Stop):
    """Ends a request with an error of the table."""

    def __init__(self, response: Response, error: RestFailure) -> None:
        super().__init__(response)
        self.error = error


class RestResource(Authenticated):
    """Base of the resources below /rest."""

    field_readers = {"Accept": read_accept, "Content-Type": read_content_type}
    policy = REST
    received = b""  # the body, once it was read
    fault = ""  # which error of the table the credentials are

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.limit = gateway.settings.rest.stanza_size_limit

    @cached_property
    def accept(self) -> str:
        """The Accept field as it was sent, in lower case."""
        return str(self.request.environ.get("HTTP_ACCEPT", "")).lower()

    @property
    def content_type(self) -> str:
        """The Content-Type field as the state machine reads it."""
        return read_content_type(str(self.request.environ.get("CONTENT_TYPE", "")))

    def authenticate(self) -> Caller | Denial:
        who = super().authenticate()
        if isinstance(who, Denial) and who.reason is DenialReason.WRONG:
            self.fault = error_of_credentials(read_authorization(self.authorization), self.gateway.settings.gateway.domain)
            return Denial(DenialReason.MISSING) if self.fault == "noauthz" else who  # RFC 9110 §11.6.1
        return who

    def refuse_foreign_page(self) -> NoReturn:
        self.fail(failure("foreign"))

    def refuse_elsewhere(self, text: str) -> NoReturn:
        self.fail(failure("elsewhere")._replace(text=text))

    def valid_entity_length(self) -> bool:
        return (self.request.content_length or 0) <= self.limit

    def content_types_provided(self) -> Sequence[tuple[tuple[str, str, str], str]]:
        return _provided(f"{self.accept},{self.content_type}")

    def body(self) -> bytes:
        """The request's body, of which Content-Length may have said nothing (RFC 9112 §6). Stops with 413, or 400."""
        try:
            self.received = read_body(self.request, self.limit)
        except RequestEntityTooLarge:
            self.fail(failure("size", limit=self.limit))  # of what size the whole is, nobody has said
        except BadCoding as e:
            self.fail(failure("parse", error=e.description))
        return self.received

    def render_error(self, status: int) -> tuple[bytes | str, str]:
        context = _CONTEXT[status](self) if status in _CONTEXT else {}
        error = failure(self.fault, **context) if status == 403 and self.fault else failure_of_status(status, **context)
        if status == 405:
            fields = self.response.headers
            allowed = fields.get("Allow", "none")
            said = f"{self.request.method[:40]} is not among the methods of this path: {allowed}; POST /rest sends a stanza"
            fields.update(detail_field(said))
            error = error._replace(text=said)  # for HTML: the other two forms have room for texts beside conditions alone
        return render(error, self.accept)

    def fail(self, error: RestFailure, **fields: str) -> NoReturn:
        """End the request with this error."""
        body, content_type = render(error, self.accept)
        raise Failed(Response(body, error.status, fields, content_type=content_type), error)

    def fail_for(self, error: GatewayError) -> NoReturn:
        """End the request with a service's error."""
        self.fail(failure_of(error), **retry_after(error))


@cached
def _provided(fields: str) -> Sequence[tuple[tuple[str, str, str], str]]:
    return tuple((t, "to_reply") for t in any_parameters(reply_types(fields)))


def _type(resource: RestResource) -> dict[str, object]:
    named = {"type": resource.content_type} if resource.content_type else {}
    return {**named, "remedy": f"Content-Type must be one of {', '.join(CODECS)}"}


def _no_credentials(_: RestResource) -> dict[str, object]:
    return {"remedy": "send Basic with user name and password, or Bearer with a token"}


def _wrong_credentials(resource: RestResource) -> dict[str, object]:
    if resource.fault not in ("", "unauthz"):
        return {"remedy": "send Basic with the base64 of NAME:PASSWORD, both as UTF-8 and without control characters"}
    return {"error": "there is no such account, or its password is wrong; or the token is no longer good, or not for this"}


def _size(resource: RestResource) -> dict[str, object]:
    return {"size": resource.request.content_length, "limit": resource.limit}


_CONTEXT = {401: _no_credentials, 403: _wrong_credentials, 413: _size, 415: _type}
"""What the error behind a status of the state machine tells of the request (rest-api §10)."""
