"""`POST /rest`: sends the stanza of a body, and answers its outcome (rest-api §7, §8)."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn
from xml.etree.ElementTree import Element

from flask import Response

from xmpp_rest.api.rest.addressing import Addressed, address, check_iq
from xmpp_rest.api.rest.errors import failure, failure_of_status
from xmpp_rest.api.rest.idempotent import KEY_FIELD, STANZA_ID, Answer, answer_once
from xmpp_rest.api.rest.limited import LimitedResource
from xmpp_rest.api.rest.prefer import wanted_wait
from xmpp_rest.api.rest.refused import REFUSED, failure_for, fields_of
from xmpp_rest.api.rest.resource import WILDCARD
from xmpp_rest.api.rest.room_answers import say_in_room
from xmpp_rest.api.rest.time_fields import NOT_LATER, wanted_time
from xmpp_rest.api.rest.timing import schedule, time_of
from xmpp_rest.auth.scopes import Use
from xmpp_rest.http.client_gone import ClientConnection
from xmpp_rest.http.resource import Accepted, Stop
from xmpp_rest.protocol.codecs import CODECS, JSON, XMPP_XML, EmptyStanza, any_parameters, looks_like_json, media_type
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.jsonmap import Unmappable
from xmpp_rest.protocol.stanza import new_id
from xmpp_rest.threads.waits import Gone, Wait

STANZA_OUTCOME = "Stanza-Outcome"
"""The state of the outcome when a `Prefer: wait` was over, as `/rest/outcome` names it."""
UNTYPED = (("*", "from_untyped"),)
ACCEPTED = tuple((t, "from_body") for t in any_parameters(CODECS))
TIMEOUT_FIELD = "HTTP_PROSODY_REST_TIMEOUT"


class StanzaResource(LimitedResource):
    """What reads a stanza from the body of a POST."""

    is_id_given = True  # by the client

    def allowed_methods(self) -> list[str]:
        return ["GET", "OPTIONS", "POST"]

    def content_types_accepted(self) -> Sequence[tuple[Any, str]]:
        return ACCEPTED if self.request.environ.get("CONTENT_TYPE") else UNTYPED

    def from_untyped(self) -> Answer:
        return self.process_untyped(self.body())

    def process_untyped(self, body: bytes) -> Answer:
        """A body that says nothing of its type is JSON if it looks like it (RFC 9110 §8.3)."""
        if not looks_like_json(body):
            types = ", ".join(CODECS)
            self.fail(failure_of_status(415, remedy=f"Content-Type must be one of {types}"), Accept=types)  # RFC 9110 §12.5.1
        if self.accept in ("", WILDCARD):
            self.media_type = JSON
        return self.process_body(JSON, body, data=body)

    def from_body(self) -> Answer:
        """Read, check and address the stanza in the body; then do with it what this resource is for."""
        kind = media_type(self.request.environ.get("CONTENT_TYPE"))
        body = self.body()
        return self.process_body(kind, body, type=kind, data=body)

    def process_body(self, kind: str, body: bytes, **context: str | bytes) -> Answer:
        """Process the stanza that a body of this type is; `context` is told to the client where it cannot be read."""
        with self.refusing(**context):
            addressed = self.addressed(self.read(kind, body))
        return self.process(addressed)

    def addressed(self, stanza: Element) -> Addressed:
        """The stanza with its attributes. Raises Rejected."""
        return address(stanza, self.caller, self._new_id)

    def _new_id(self) -> str:
        self.is_id_given = False
        return new_id()

    def read(self, kind: str, body: bytes) -> Element:
        """The stanza that the body is. Raises UnreadableStanza."""
        return CODECS[kind].read(body)

    @contextmanager
    def refusing(self, **context: str | bytes) -> Iterator[None]:
        """End the request where a stanza cannot be read or addressed; `context` is told to the client where it cannot be read."""
        try:
            yield
        except REFUSED as e:
            self.charge()
            error = failure_for(e)
            if error.condition == "not-well-formed":
                shown = {k: v.decode("utf-8", "replace") if isinstance(v, bytes) else v for k, v in context.items()}
                error = error._replace(context=(error.context or {}) | shown)
            self.fail(error)

    @abstractmethod
    def process(self, addressed: Addressed) -> Answer:
        """Do with a good stanza what this resource is for; the answer is set, or Stop raised."""

    def reply(self, *stanzas: Element) -> bool:
        """Answer with this stanza, or with several, in the negotiated format."""
        codec = CODECS[self.media_type or XMPP_XML]
        try:
            if len(stanzas) > 1 and codec.write_many:
                body = codec.write_many(stanzas)
            else:
                body = codec.write(stanzas[0]) if codec.write else b""
        except (BadXML, Unmappable) as e:
            self.fail(failure("unwritable", error=str(e)))
        if not body:  # several stanzas as a form: 200 all the same, where the machine would say 204
            raise Stop(Response(b"", 200, content_type=self.media_type))
        self.set_body(body)
        return True


class Send(StanzaResource):
    """Sends the stanza: 202 for what was accepted, 200 with the answer to an iq, or with what came back at once.

    With an `Idempotency-Key` it is sent once for each key of the caller.
    """

    elsewhere = NOT_LATER

    @property
    def takes_foreign(self) -> bool:
        return not wanted_time(self.request)

    def use(self) -> Use:
        return Use.SEND if self.request.method == "POST" else Use.ACCOUNT

    def process(self, addressed: Addressed) -> Answer:
        return self.once(lambda: self._send(addressed))

    def once(self, send: Callable[[], Answer]) -> Answer:
        """What `send` answers, once for an `Idempotency-Key`. A repetition costs nothing."""
        key = self.request.environ.get(KEY_FIELD)
        if key is None or self.request.method != "POST":
            return send()
        return answer_once(self, key, send)

    def _send(self, addressed: Addressed) -> Answer:
        self.charge()
        at = time_of(self)
        try:
            if at is not None:
                schedule(self, addressed, at, is_id_given=self.is_id_given)
            check_iq(addressed.stanza)
            return self._outcome(addressed)
        except REFUSED as e:
            error = failure_for(e)
            self.fail(error, **fields_of(error))

    def _outcome(self, addressed: Addressed) -> Answer:
        stanza, sender, to = addressed
        if stanza.tag == "iq":
            answer, collected = self.services.sending.ask(stanza, Wait(self._timeout(), self.gone))
            return self.reply(*collected, answer)
        if self.services.sending.is_for_room(stanza, sender, to):
            return say_in_room(self, addressed)
        seconds = self.wanted_wait()
        if seconds is None:
            refusal = self.services.sending.send(stanza, sender, to)
        else:
            refusal, state = self.services.sending.send_and_wait(stanza, sender, to, Wait(seconds, self.gone))
            self.set_field("Preference-Applied", f"wait={seconds:g}")
            if refusal is None:
                self.set_field(STANZA_OUTCOME, state)
        return self._accepted(stanza.attrib["id"]) if refusal is None else self.reply(refusal)

    def wanted_wait(self) -> float | None:
        """`Prefer: wait=N` (RFC 7240 §4.3): the seconds that the server is given to refuse the stanza; None: no such preference."""
        return wanted_wait(self.request.environ, self.gateway.settings.rest.iq_max_timeout)

    @property
    def gone(self) -> Gone:
        """Tells whether the client has closed the connection."""
        return ClientConnection(self.request.environ).gone

    def _accepted(self, identifier: str) -> Accepted:
        if identifier.isascii() and identifier.isprintable():
            self.set_field(STANZA_ID, identifier)
        return Accepted()

    def _timeout(self) -> float:
        """Seconds to wait for the answer to an iq: the request's own, within the setting's bound."""
        rest = self.gateway.settings.rest
        try:
            wanted = float(self.request.environ.get(TIMEOUT_FIELD, ""))
        except ValueError:
            wanted = math.nan
        return min(max(wanted, 0.0) if math.isfinite(wanted) else rest.iq_timeout, rest.iq_max_timeout)


class Echo(StanzaResource):
    """`POST /rest/echo`: gives the stanza back as it would be sent (rest-api §9), also one that says nothing to anybody."""

    def read(self, kind: str, body: bytes) -> Element:
        try:
            return super().read(kind, body)
        except EmptyStanza as e:
            return e.stanza

    def process(self, addressed: Addressed) -> bool:
        return self.reply(addressed.stanza)

    def charge(self) -> None:
        """Nothing is sent, and nothing counts."""

    def to_reply(self) -> NoReturn:
        """COMPAT mod_rest: a GET has no body to give back."""
        self.fail(failure("mediatype"))
