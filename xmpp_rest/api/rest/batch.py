"""Sends the stanzas of a batch in order, with one JSON object as the result of each line."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple

from xmpp_rest.api.lines import BatchLine, BodyLimits
from xmpp_rest.api.rest.addressing import Addressed, address, check_iq
from xmpp_rest.api.rest.errors import RestFailure, error_object, failure, failure_of
from xmpp_rest.api.rest.refused import REFUSED, failure_for
from xmpp_rest.auth.caller import Caller
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.codecs import CODECS, JSON
from xmpp_rest.protocol.jsonmap import Unmappable, decode, decode_many
from xmpp_rest.protocol.stanza import condition_of
from xmpp_rest.service.messages.batch import OutboundMessage, Result
from xmpp_rest.service.messages.send import Sending
from xmpp_rest.threads.waits import Gone, Wait

log = logging.getLogger(__name__)

Answer = dict[str, Any]


class Patience(NamedTuple):
    """Seconds to wait for one iq, and for all iqs of a batch together; and whether the client has gone."""

    each: float
    together: float
    gone: Gone


class Batch:
    """The stanzas of one request, sent in the order of their lines."""

    def __init__(self, sending: Sending, caller: Caller, bounds: BodyLimits, patience: Patience) -> None:
        self._sending = sending
        self._caller = caller
        self._bounds = bounds
        self._each, self._left, self._gone = patience

    def send(self, group: Sequence[BatchLine]) -> Iterator[Answer]:
        """Send the stanzas of some lines; an answer for each."""
        read = [(line.number, self._read(line)) for line in group]
        for together, run in groupby(read, lambda item: _may_go_together(item[1])):
            items = list(run)
            results = [result for _, result in items]
            answers = self._say_all([r for r in results if not isinstance(r, RestFailure)]) if together else map(self._alone, results)
            for (number, _), answer in zip(items, answers, strict=True):
                yield {"line": number} | answer

    def _alone(self, result: Addressed | RestFailure) -> Answer:
        return _error(result) if isinstance(result, RestFailure) else self._send(result)

    def _say_all(self, messages: Sequence[Addressed]) -> Iterator[Answer]:
        """Messages and presences that follow one another wait for the disk together."""
        results: Sequence[Result]
        try:
            results = self._sending.send_many([OutboundMessage(*addressed) for addressed in messages])
        except Exception as e:  # what came before is sent, and its lines are to be told
            results = [e] * len(messages)
        for addressed, result in zip(messages, results, strict=True):
            yield self._answered(addressed, partial(self._said, result))

    def _read(self, line: BatchLine) -> Addressed | RestFailure:
        if line.broken:
            return failure("parse", error=line.broken)
        if line.text is None:
            return failure("size", exceeded=line.exceeded, limit=getattr(self._bounds, line.exceeded))
        try:
            addressed = address(CODECS[JSON].read(line.text), self._caller)
            check_iq(addressed.stanza)
        except REFUSED as e:
            return failure_for(e)
        return addressed

    def _send(self, addressed: Addressed) -> Answer:
        return self._answered(addressed, partial(self._ask, addressed))

    def _answered(self, addressed: Addressed, outcome: Callable[[], Answer]) -> Answer:
        identifier = {"id": addressed.stanza.attrib["id"]}
        try:
            return identifier | outcome()
        except Unmappable as e:
            return identifier | _error(failure("unwritable", error=str(e)))
        except REFUSED as e:
            return identifier | _error(failure_for(e))
        except Exception:
            log.exception("a stanza of a batch could not be sent")
            return identifier | _error(failure_of(GatewayError("internal")))

    @staticmethod
    def _said(result: Result) -> Answer:
        if isinstance(result, Exception):
            raise result
        if result is None:
            return {"outcome": "accepted"}
        error = condition_of(result)
        return {"outcome": "refused", "error": {k: v for k, v in error._asdict().items() if v}}

    def _ask(self, addressed: Addressed) -> Answer:
        """The answer to an iq, for which nothing else of the batch waits longer than all iqs together may take."""
        if self._left <= 0:
            return _error(failure_of(GatewayError("iq-overload", "The iqs of one batch took too long; send the rest in another one")))
        started = time.monotonic()
        try:
            answer, collected = self._sending.ask(addressed.stanza, Wait(min(self._each, self._left), self._gone))
        finally:
            self._left -= time.monotonic() - started
        return {"outcome": "answered", "answer": decode_many([*collected, answer]) if collected else decode(answer)}


def _may_go_together(result: Addressed | RestFailure) -> bool:
    return not isinstance(result, RestFailure) and result.stanza.tag != "iq"


def _error(error: RestFailure) -> Answer:
    return {"outcome": "error", "code": error.status, "error": error_object(error)}
