"""How are many stanzas sent in order, and what is said of each? One JSON object for each line of a batch."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from xmpp_rest.api.rest.addressing import Addressed, address, check_iq
from xmpp_rest.api.rest.errors import Failure, error_object, failure, failure_of
from xmpp_rest.api.rest.lines import Bounds, Line
from xmpp_rest.api.rest.refused import REFUSED, failure_for
from xmpp_rest.auth.credentials import Caller
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.codecs import CODECS, JSON
from xmpp_rest.protocol.jsonmap import Unmappable, decode, decode_many
from xmpp_rest.protocol.stanza import condition_of
from xmpp_rest.service.sending import Sending

Answer = dict[str, Any]


class Patience(NamedTuple):
    """Seconds to wait for one iq, and for all iqs of a batch together."""

    each: float
    together: float


class Batch:
    """The stanzas of one request, sent in the order of their lines."""

    def __init__(self, sending: Sending, caller: Caller, bounds: Bounds, patience: Patience) -> None:
        self._sending = sending
        self._caller = caller
        self._bounds = bounds
        self._each, self._left = patience

    def send(self, group: Sequence[Line]) -> Iterator[Answer]:
        """Send the stanzas of some lines; an answer for each."""
        read = [(line, self._read(line)) for line in group]
        for line, result in read:
            yield {"line": line.number} | (_error(result) if isinstance(result, Failure) else self._send(result))

    def _read(self, line: Line) -> Addressed | Failure:
        if line.text is None:
            return failure("size", exceeded=line.exceeded, limit=getattr(self._bounds, line.exceeded))
        try:
            addressed = address(CODECS[JSON].read(line.text), self._caller)
            check_iq(addressed.stanza)
        except REFUSED as e:
            return failure_for(e)
        return addressed

    def _send(self, addressed: Addressed) -> Answer:
        identifier = {"id": addressed.stanza.attrib["id"]}
        try:
            return identifier | (self._ask(addressed) if addressed.stanza.tag == "iq" else self._say(addressed))
        except Unmappable as e:
            return identifier | _error(failure("unwritable", error=str(e)))
        except REFUSED as e:
            return identifier | _error(failure_for(e))

    def _say(self, addressed: Addressed) -> Answer:
        refusal = self._sending.send(*addressed)
        if refusal is None:
            return {"outcome": "accepted"}
        error = condition_of(refusal)
        return {"outcome": "refused", "error": {k: v for k, v in error._asdict().items() if v}}

    def _ask(self, addressed: Addressed) -> Answer:
        """The answer to an iq, for which nothing else of the batch waits longer than all iqs together may take."""
        if self._left <= 0:
            return _error(failure_of(GatewayError("iq-overload", "The iqs of one batch took too long; send the rest in another one")))
        started = time.monotonic()
        try:
            answer, collected = self._sending.ask(addressed.stanza, min(self._each, self._left))
        finally:
            self._left -= time.monotonic() - started
        return {"outcome": "answered", "answer": decode_many([*collected, answer]) if collected else decode(answer)}


def _error(error: Failure) -> Answer:
    return {"outcome": "error", "code": error.status, "error": error_object(error)}
