"""`POST /msg/JID`: sends a message of the caller (hooks §16)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from flask import Response
from werkzeug.exceptions import RequestEntityTooLarge

from xmpp_rest.api.authentication import Authenticated
from xmpp_rest.api.failures import retry_after
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.post_msg.reading import TAKEN, UnknownMessageType, read_message
from xmpp_rest.api.rest.addressing import Addressed, address
from xmpp_rest.api.rest.errors import RestFailure
from xmpp_rest.api.rest.refused import REFUSED, failure_for, fields_of
from xmpp_rest.auth.authorization import Policy
from xmpp_rest.auth.scopes import Use
from xmpp_rest.errors import GatewayError
from xmpp_rest.http.problem import render_problem
from xmpp_rest.http.request import read_body
from xmpp_rest.http.resource import Stop
from xmpp_rest.protocol.stanza import condition_of

POST_MSG = Policy(lambda settings: f"{settings.gateway.domain}/msg", challenges=("Basic", "Bearer"), component=True)
STATUS_OF_TYPE = {"wait": 503}
"""Of what was refused at once; 502 for all other types of errors."""


class PostMessage(Authenticated):
    """Sends what is posted to the address in the path, or to that in the body."""

    policy = POST_MSG
    uses = {"POST": Use.SEND}

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.limit = gateway.settings.rest.stanza_size_limit

    def allowed_methods(self) -> list[str]:
        return ["OPTIONS", "POST"]

    def valid_entity_length(self) -> bool:
        return (self.request.content_length or 0) <= self.limit

    def content_types_accepted(self) -> tuple[tuple[str, str], ...]:
        return (("*", "send"),)

    def send(self) -> NoReturn:
        """Send the message: 201, with its id."""
        with self.refusing():
            stanza, sender, to = self._addressed()
            refusal = self.gateway.parts.sending.send(stanza, sender, to)
        if refusal is not None:
            error = condition_of(refusal)
            self.refuse(STATUS_OF_TYPE.get(error.type, 502), error.text or error.condition)
        raise Stop(Response(b"", 201, {"Stanza-Id": stanza.attrib["id"]}, content_type="text/plain"))

    def _addressed(self) -> Addressed:
        try:
            data = read_body(self.request, self.limit)
        except RequestEntityTooLarge:
            self.refuse(413, f"A message has at most {self.limit} bytes")
        stanza = read_message(self.request.environ.get("CONTENT_TYPE", ""), data, self.args.get("to", ""))
        to = stanza.get("to", "")
        if not to:
            self.refuse(422, "Name the recipient in the path, or as `to`")
        if "@" not in to and "/" not in to and "." not in to:
            stanza.set("to", f"{to}@{self.gateway.settings.gateway.domain}")
        return address(stanza, self.caller)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """End the request where a message cannot be read, addressed or sent."""
        try:
            yield
        except UnknownMessageType as e:
            self.refuse(415, str(e), **{"Accept-Post": ", ".join(TAKEN)})
        except REFUSED as e:
            failed: RestFailure = failure_for(e)
            detail = str((failed.context or {}).get("error") or failed.text)
            self.refuse(failed.status, detail, **(retry_after(e) if isinstance(e, GatewayError) else fields_of(failed)))

    def refuse(self, status: int, detail: str, **fields: str) -> NoReturn:
        """End the request with this error."""
        body, content_type = render_problem(status, {"detail": detail})
        raise Stop(Response(body, status, fields, content_type=content_type))
