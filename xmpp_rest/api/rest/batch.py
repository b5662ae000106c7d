"""Sends the stanzas of a batch in order, with one JSON object as the result of each line."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple, Protocol
from xml.etree.ElementTree import Element

from xmpp_rest.api.lines import BatchLine, BodyLimits
from xmpp_rest.api.rest.addressing import Addressed, address, check_iq
from xmpp_rest.api.rest.errors import RestFailure, error_object, failure, failure_of
from xmpp_rest.api.rest.refused import REFUSED, failure_for
from xmpp_rest.auth.caller import Caller
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.codecs import CODECS, JSON
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.jsonmap import Unmappable, decode, decode_many
from xmpp_rest.protocol.stanza import condition_of, new_ids
from xmpp_rest.service.messages.batch import OutboundMessage, Result, Results
from xmpp_rest.service.rooms.refused import RoomRefused
from xmpp_rest.threads.waits import Gone, Wait

log = logging.getLogger("xmpp_rest.link")

Answer = dict[str, Any]


class Patience(NamedTuple):
    """Seconds to wait for one iq, and for all iqs of a batch together; and whether the client has gone."""

    each: float
    together: float
    gone: Gone


class StanzaSender(Protocol):
    """What sends the stanzas; `Sending` is one."""

    def begin_many(self, stanzas: Sequence[OutboundMessage], nick: str = "") -> Results: ...
    def ask(self, iq: Element, wait: Wait) -> tuple[Element, list[Element]]: ...


class LinesUnderWay(NamedTuple):
    """Messages that are under way, with the numbers of their lines."""

    lines: Sequence[tuple[int, Addressed]]
    results: Results


NOTHING = LinesUnderWay((), list)


class Batch:
    """The stanzas of one request, sent in the order of their lines."""

    def __init__(self, sending: StanzaSender, caller: Caller, bounds: BodyLimits, patience: Patience, nick: str = "") -> None:
        """`nick`: under which to come into rooms elsewhere, if the request names one."""
        self._sending = sending
        self._nick = nick
        self._caller = caller
        self._bounds = bounds
        self._each, self._left, self._gone = patience
        self._new_id = new_ids().__next__
        self._refused_joins: dict[tuple[JID, JID], RoomRefused] = {}  # of an actor and a room: none is tried again in one batch

    def send(self, groups: Iterable[Sequence[BatchLine]]) -> Iterator[Answer]:
        """Send the stanzas of all lines; an answer for each.

        Messages and presences that follow one another are sent together, and the leader sends them while the group after them is read.
        """
        sent = NOTHING
        for group in groups:
            read = [(line.number, self._read(line)) for line in group]
            for together, run in groupby(read, lambda item: _may_go_together(item[1])):
                items, (lines, results) = list(run), (sent.lines, sent.results())
                sent = self._begin(items) if together else NOTHING
                yield from self._tell(lines, results)
                if not together:
                    for number, result in items:
                        yield {"line": number} | self._alone(result)
        yield from self._tell(sent.lines, sent.results())

    def _alone(self, result: Addressed | RestFailure) -> Answer:
        return _error(result) if isinstance(result, RestFailure) else self._send(result)

    def _begin(self, items: Iterable[tuple[int, Addressed | RestFailure]]) -> LinesUnderWay:
        """Begin to send messages and presences, which wait for the disk together."""
        lines = [(number, addressed) for number, addressed in items if isinstance(addressed, Addressed)]
        if not self._refused_joins:  # the usual case
            return LinesUnderWay(lines, self._sending.begin_many([OutboundMessage(*addressed) for _, addressed in lines], self._nick))
        known = [self._refused_joins.get(_place(addressed)) for _, addressed in lines]
        unknown = [OutboundMessage(*a) for (_, a), error in zip(lines, known, strict=True) if error is None]
        results = self._sending.begin_many(unknown, self._nick)
        return LinesUnderWay(lines, partial(_filled, known, results))

    def _tell(self, lines: Sequence[tuple[int, Addressed]], results: Sequence[Result]) -> Iterator[Answer]:
        for (number, addressed), result in zip(lines, results, strict=True):
            if result is None:
                yield {"line": number, "id": addressed.stanza.attrib["id"], "outcome": "accepted"}
            else:
                if isinstance(result, RoomRefused) and addressed.stanza.get("type") == "groupchat":
                    self._refused_joins[_place(addressed)] = result
                yield {"line": number} | self._answered(addressed, partial(self._said, result))

    def _read(self, line: BatchLine) -> Addressed | RestFailure:
        if line.broken:
            return failure("parse", error=line.broken)
        if line.text is None:
            return failure("size", exceeded=line.exceeded, limit=getattr(self._bounds, line.exceeded))
        try:
            addressed = address(CODECS[JSON].read(line.text), self._caller, self._new_id)
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
    def _said(result: Element | Exception) -> Answer:
        if isinstance(result, Exception):
            raise result
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


def _place(addressed: Addressed) -> tuple[JID, JID]:
    return addressed.sender.bare, addressed.to


def _filled(known: Sequence[RoomRefused | None], results: Results) -> list[Result]:
    """The results of those that were sent, among those that are known."""
    sent = iter(results())
    return [next(sent) if error is None else error for error in known]


def _error(error: RestFailure) -> Answer:
    return {"outcome": "error", "code": error.status, "error": error_object(error)}
