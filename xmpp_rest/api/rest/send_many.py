"""`POST /rest` with `application/x-ndjson`: answers a body of many stanzas with as many lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from xmpp_rest.api.lines import NDJSON, BodyLimits, answer_lines, grouped, whole_lines
from xmpp_rest.api.rest.batch import Answer, Batch, Patience
from xmpp_rest.api.rest.errors import failure
from xmpp_rest.api.rest.idempotent import KEY_FIELD
from xmpp_rest.api.rest.idempotent import Answer as SentAnswer
from xmpp_rest.api.rest.room_answers import nick_for_all
from xmpp_rest.api.rest.send import ACCEPTED, UNTYPED, Send
from xmpp_rest.api.rest.several import several_recipients
from xmpp_rest.api.rest.time_fields import wanted_time
from xmpp_rest.api.rest.to_many import messages_to_all, send_to_all
from xmpp_rest.http.request import BadCoding
from xmpp_rest.http.resource import Stop
from xmpp_rest.protocol.codecs import media_type

ACCEPTED_MANY = (*ACCEPTED, (("application", "x-ndjson", "*"), "from_lines"))


class SendMany(Send):
    """`POST /rest`: one stanza, one message to several recipients, or one stanza on each line."""

    def content_types_accepted(self) -> Sequence[tuple[Any, str]]:
        return ACCEPTED_MANY if self.request.environ.get("CONTENT_TYPE") else UNTYPED

    def valid_entity_length(self) -> bool:
        if media_type(self.request.environ.get("CONTENT_TYPE")) == NDJSON:
            self.limit = self.gateway.settings.rest.batch_size_limit
        return super().valid_entity_length()

    def process_body(self, kind: str, body: bytes, **context: str | bytes) -> SentAnswer:
        several = several_recipients(kind, body)
        if several is None:
            return super().process_body(kind, body, **context)
        with self.refusing(**context):
            messages = messages_to_all(self, self.read(several.kind, several.body), several)
        return self.once(lambda: send_to_all(self, messages))

    def from_lines(self) -> NoReturn:
        """Send what each line says; 200 with a line for each."""
        if KEY_FIELD in self.request.environ:
            self.fail(failure("idempotency_batch"))
        if wanted_time(self.request):
            self.fail(failure("schedule_batch"))
        nick = nick_for_all(self)
        self.charge()
        try:
            raise Stop(answer_lines(self._answers(nick)))
        except BadCoding as e:
            self.fail(failure("parse", error=e.description))

    def _answers(self, nick: str) -> Iterator[Answer]:
        settings = self.gateway.settings.rest
        bounds = BodyLimits(settings.stanza_size_limit, settings.batch_stanzas, self.limit)
        lines = whole_lines(self.request, bounds)
        patience = Patience(self._timeout(), settings.iq_max_timeout, self.gone)
        batch = Batch(self.services.sending, self.caller, bounds, patience, nick)
        yield from batch.send(grouped(lines))
