"""`POST /msg/JID`: sends a message of the caller (hooks §16)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from flask import Response
from werkzeug.exceptions import RequestEntityTooLarge

from xmpp_rest.api.authentication import Authenticated
from xmpp_rest.api.failures import retry_after
from xmpp_rest.api.gateway import Gateway
from xmpp_rest.api.hooks.incoming import fields_of as sent_fields
from xmpp_rest.api.hooks.incoming import time_in
from xmpp_rest.api.own_address import base_path
from xmpp_rest.api.post_msg.reading import TAKEN, BadField, UnknownMessageType, read_message
from xmpp_rest.api.rate_limits import take
from xmpp_rest.api.rest.addressing import Addressed, address
from xmpp_rest.api.rest.errors import RestFailure
from xmpp_rest.api.rest.refused import REFUSED, failure_for, fields_of
from xmpp_rest.auth.authorization import Policy
from xmpp_rest.auth.caller import CallerKind
from xmpp_rest.auth.scopes import Use
from xmpp_rest.errors import GatewayError
from xmpp_rest.http.body import dump_json
from xmpp_rest.http.problem import render_problem
from xmpp_rest.http.request import read_body
from xmpp_rest.http.resource import Stop
from xmpp_rest.protocol.datetimes import write_datetime
from xmpp_rest.protocol.stanza import condition_of
from xmpp_rest.service.scheduled.scheduled import StanzaToSchedule
from xmpp_rest.service.scheduled.times import BadTime, read_time

POST_MSG = Policy(lambda settings: f"{settings.gateway.domain}/msg", challenges=("Basic", "Bearer"), component=True)
STATUS_OF_TYPE = {"wait": 503}
"""Of what was refused at once; 502 for all other types of errors."""


class PostMessage(Authenticated):
    """Sends what is posted to the address in the path, or to that in the body."""

    policy = POST_MSG
    uses = {"POST": Use.SEND}
    ignored_fields = frozenset(("Accept", "Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"))

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
        """Send the message: 201, with its id; 202 for one that waits for its time."""
        with self.refusing():
            addressed = self._addressed()
            self._charge()
            at = self._time()
            if at is not None:
                self._schedule(addressed, at)
            refusal = self.gateway.parts.sending.send(*addressed)
        if refusal is not None:
            error = condition_of(refusal)
            self.refuse(STATUS_OF_TYPE.get(error.type, 502), error.text or error.condition)
        raise Stop(Response(b"", 201, {"Stanza-Id": addressed.stanza.attrib["id"]}, content_type="text/plain"))

    def _charge(self) -> None:
        """Take the request out of the caller's limits."""
        if not take(self.request.environ).allowed:
            raise GatewayError("rate")

    def _time(self) -> float | None:
        """When the message is to be sent (Unix time); None: at once. Raises GatewayError, schedule_time."""
        text, now = time_in(sent_fields(self.request.environ), self.request.args), time.time()
        try:
            at = read_time(text, now, self.gateway.settings.limits.schedule_days) if text else now
        except BadTime as e:
            raise GatewayError("schedule_time", str(e)) from e
        return at if at > now else None

    def _schedule(self, addressed: Addressed, at: float) -> NoReturn:
        wanted = StanzaToSchedule(*addressed, of_component=self.caller.kind is CallerKind.COMPONENT)
        due = self.gateway.parts.scheduled.schedule_stanza(wanted, at)
        identifier = addressed.stanza.attrib["id"]
        fields = {"Stanza-Id": identifier, "Location": f"{base_path(self.request, self.gateway)}/rest/scheduled/{due.id}"}
        said = {"id": due.id, "at": write_datetime(due.at), "stanza_id": identifier}
        raise Stop(Response(dump_json(said), 202, fields, content_type="application/json"))

    def _addressed(self) -> Addressed:
        try:
            data = read_body(self.request, self.limit)
        except RequestEntityTooLarge:
            self.refuse(413, f"A message has at most {self.limit} bytes")
        stanza = read_message(self.request.environ.get("CONTENT_TYPE", ""), data, self.args.get("to", ""))
        to = stanza.get("to", "")
        if "@" not in to and "/" not in to and "." not in to:
            stanza.set("to", f"{to}@{self.gateway.settings.gateway.domain}")
        return address(stanza, self.caller)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """End the request where a message cannot be read, addressed or sent."""
        try:
            yield
        except BadField as e:
            self.refuse(422, str(e))
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
