"""The base of all resources of the client API: credentials, JSON bodies, errors, and the order of checks (client-api §1).

The order of checks (client-api §1.7) is that of the machine: method, credentials, `Accept`, content type; then `get`, `post`, `put` or
`delete` of the resource looks at the path, at the query or body, and at what exists and who may.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, NoReturn, TypeVar

from werkzeug.exceptions import RequestEntityTooLarge

from drivers import StorageError
from xmpp_rest.answered import path_of
from xmpp_rest.api.authentication import Authenticated
from xmpp_rest.api.client.refusal import JSON, Refusal, refusal_of
from xmpp_rest.api.detail import detail_field
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.rate_limits import take
from xmpp_rest.auth.authorization import CLIENT
from xmpp_rest.auth.caller import Caller, Denial
from xmpp_rest.errors import ERRORS, GatewayError, storage_failed
from xmpp_rest.http.body import dump_json
from xmpp_rest.http.builder import construct
from xmpp_rest.http.request import BadCoding, read_body
from xmpp_rest.http.resource import Stop
from xmpp_rest.protocol.jid import JID, is_bare_name
from xmpp_rest.protocol.strict_json import BadJSON, read_json

log = logging.getLogger("xmpp_rest.server")
T = TypeVar("T")
TYPES = [(("application", "json", "*"), "to_json")]
ACCEPTED = [(("application", "json", "*"), "from_json")]


class ClientReply(NamedTuple):
    """What `post`, `put` and `delete` answer with: a status, and a value for the JSON body."""

    status: int
    value: Any = None  # None: no body


NO_CONTENT = ClientReply(204)


class ClientResource(Authenticated):
    """Base of the resources of the client API. `account` is the caller's bare JID, set once the credentials are good.

    A subclass lists its `methods` as `Allow` has to show them, and defines `get() -> value`, `post() -> ClientReply` and so on. They raise
    Refusal; GatewayError and StorageError are answered here.
    """

    policy = CLIENT
    field_readers = {"Content-Type": lambda sent: sent or JSON}  # client-api §1.3: a body that says nothing of its type is JSON
    methods: ClassVar[tuple[str, ...]]
    account: JID

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.settings = gateway.settings.client

    # -- the steps of the machine

    def known_methods(self) -> frozenset[str]:
        return frozenset((self.request.method,))  # client-api §1.8: none is 501 here

    def allowed_methods(self) -> tuple[str, ...]:
        return self.methods

    def authenticate(self) -> Caller | Denial:
        who = super().authenticate()
        if isinstance(who, Caller):
            self.account = who.jid
        else:
            self._log(401, f"the credentials are {who.reason.value}")
        return who

    def refuse_foreign_page(self) -> NoReturn:
        self._log(403, "a page of another origin has caused it")
        raise Stop(Refusal(403, ERRORS["foreign"].text).response(self.settings.generation))

    def content_types_provided(self) -> list[tuple[tuple[str, str, str], str]]:
        return TYPES

    def content_types_accepted(self) -> list[tuple[tuple[str, str, str], str]]:
        return ACCEPTED

    def to_json(self) -> Any:
        return self.answering(self.get)

    def from_json(self) -> NoReturn:
        self._send(self.answering(self.post if self.request.method == "POST" else self.put))

    def delete_resource(self) -> NoReturn:
        self._send(self.answering(self.delete))

    def render_error(self, status: int) -> tuple[bytes | str, str]:
        """What the machine refuses by itself has no body (client-api §1.6); a header field says what would be right."""
        self.response.headers.update(detail_field(_DETAILS[status](self) if status in _DETAILS else ""))
        return b"", JSON

    def _about_credentials(self) -> str:
        if remark := self.policy.remark(self.authorization, self.gateway.settings.gateway.domain):
            return remark
        if self.authorization:
            return "There is no such account, or its password is wrong; or the token is no longer good"
        return "Send Basic with the account's whole address as user name, and its password"

    # -- what a subclass defines

    def get(self) -> Any:
        raise NotImplementedError

    def post(self) -> ClientReply:
        raise NotImplementedError

    def put(self) -> ClientReply:
        raise NotImplementedError

    def delete(self) -> ClientReply:
        raise NotImplementedError

    # -- what a subclass uses

    def value(self) -> Any:
        """The JSON value in the body. Raises Refusal for anything else (client-api §1.4)."""
        try:
            return read_json(self._body())
        except BadJSON as e:
            raise Refusal(400, "Invalid request body", detail=str(e)) from e

    def fields(self) -> dict[str, Any]:
        """The JSON object in the body. Raises Refusal for anything else (client-api §1.4)."""
        value = self.value()
        if not isinstance(value, dict):
            raise Refusal(400, "Invalid request body", detail="The body must be a JSON object")
        return value

    def _body(self) -> bytes:
        limit = self.settings.body_limit
        try:
            return read_body(self.request, limit)
        except RequestEntityTooLarge as e:
            raise Refusal(413, f"Request body larger than {limit} bytes") from e
        except BadCoding as e:
            raise Refusal(400, str(e.description)) from e

    # -- how it ends

    def answering(self, act: Callable[[], T]) -> T:
        """What `act` returns; what it refuses is the response."""
        try:
            return act()
        except Refusal as e:
            refusal = e
        except GatewayError as e:
            refusal = refusal_of(e)
        except StorageError as e:
            refusal = refusal_of(storage_failed(e))
        self._log(refusal.status, refusal.text)
        raise Stop(refusal.response(self.settings.generation))

    def require_recipient(self, to: JID) -> None:
        """Raise Refusal, 403, where the caller's token does not let send there."""
        if not self.caller.may_send_to(to):
            raise Refusal(403, f"This token may not send to {to}")

    def charge(self) -> None:
        """Take the request out of the caller's limits; Stop with 429 if there is nothing left. Raises GatewayError."""
        if not take(self.request.environ).allowed:
            self._log(429, "the limit of requests is reached")
            raise Stop(construct(detail_field(ERRORS["rate"].text), b"", 429))

    def require_address(self, jid: JID, text: str) -> JID:
        """The same; raises Refusal, 400, with `text` where it is the name of a user without a domain."""
        if is_bare_name(jid, self.gateway.parts.router.domains):
            detail = f"{jid.domain} is not hosted here; did you mean {jid.domain}@{self.account.domain}?"
            raise Refusal(400, f"{text}: {jid}", detail=detail)
        return jid

    def _log(self, status: int, reason: str) -> None:
        """Why, on the server's side: an empty 401 alone tells its user little."""
        r = self.request
        log.info("%s %s from %s: %d %s", r.method, path_of(r.environ), r.remote_addr, status, reason)

    def _send(self, reply: ClientReply) -> NoReturn:
        body = b"" if reply.value is None else dump_json(reply.value)
        fields = {} if reply.value is None else {"Content-Type": JSON}
        raise Stop(construct(fields, body, reply.status))


_DETAILS: dict[int, Callable[[ClientResource], str]] = {
    401: ClientResource._about_credentials,
    405: lambda resource: f"{resource.request.method[:40]} is not among the methods of this path: {', '.join(resource.methods)}",
    406: lambda _: "Accept must admit application/json",
    415: lambda _: "Content-Type must be application/json",
    429: lambda _: "Too many wrong passwords; Retry-After says when to try again",
}
"""What a header field says beside an empty body."""
