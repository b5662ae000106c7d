"""`POST /rest` with `application/x-ndjson`: answers a body of many stanzas with as many lines.

Everything is read before anything is answered: a client may send all of it before it reads. What waits for that is in a file.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO, NoReturn, cast

from flask import Request, Response

from xmpp_rest.api.rest.batch import Answer, Batch, Patience
from xmpp_rest.api.rest.errors import failure
from xmpp_rest.api.rest.idempotent import KEY_FIELD
from xmpp_rest.api.rest.lines import BatchLine, BodyLimits, read_lines
from xmpp_rest.api.rest.send import ACCEPTED, UNTYPED, Send
from xmpp_rest.http.body import FilePart, fill
from xmpp_rest.http.request import BadCoding, body_stream
from xmpp_rest.http.resource import Stop
from xmpp_rest.protocol.codecs import media_type

NDJSON = "application/x-ndjson"
ACCEPTED_MANY = (*ACCEPTED, (("application", "x-ndjson", "*"), "from_lines"))
GROUP = 64  # stanzas that are read before they are sent
IN_MEMORY = 1 << 20  # bytes of answers, before they go to a file


class SendMany(Send):
    """`POST /rest`: one stanza, or one on each line."""

    def content_types_accepted(self) -> Sequence[tuple[Any, str]]:
        return ACCEPTED_MANY if self.request.environ.get("CONTENT_TYPE") else UNTYPED

    def valid_entity_length(self) -> bool:
        if media_type(self.request.environ.get("CONTENT_TYPE")) == NDJSON:
            self.limit = self.gateway.settings.rest.batch_size_limit
        return super().valid_entity_length()

    def from_lines(self) -> NoReturn:
        """Send what each line says; 200 with a line for each."""
        if KEY_FIELD in self.request.environ:
            self.fail(failure("idempotency_batch"))
        answers = cast("BinaryIO", tempfile.SpooledTemporaryFile(max_size=IN_MEMORY))  # noqa: SIM115 - the response closes it
        try:
            for answer in self._answers():
                text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
                answers.write(text.encode("utf-8", "replace") + b"\n")
        except BadCoding as e:
            answers.close()
            self.fail(failure("parse", error=e.description))
        except BaseException:
            answers.close()
            raise
        response = Response(content_type=NDJSON)
        fill(response, FilePart(answers, 0, answers.tell()))
        raise Stop(response)

    def _answers(self) -> Iterator[Answer]:
        settings = self.gateway.settings.rest
        bounds = BodyLimits(settings.stanza_size_limit, settings.batch_stanzas, self.limit)
        lines = _whole_lines(self.request, bounds)
        batch = Batch(self.gateway.parts.sending, self.caller, bounds, Patience(self._timeout(), settings.iq_max_timeout, self.gone))
        while group := list(islice(lines, GROUP)):
            yield from batch.send(group)


def _whole_lines(request: Request, bounds: BodyLimits) -> Iterator[BatchLine]:
    """The lines of the body; raises BadCoding only where there is not a single one, for what was read is sent."""
    number = 0
    try:
        for line in read_lines(body_stream(request, bounds.body), bounds):
            number = line.number
            yield line
    except BadCoding as e:
        if not number:
            raise
        yield BatchLine(number + 1, None, broken=str(e.description))
