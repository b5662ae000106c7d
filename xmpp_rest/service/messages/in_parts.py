"""Sends several stanzas in two ways: what is said in rooms elsewhere goes its own, so that coming into these holds up nothing else.

The results come in the order of the stanzas, whichever way each went.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import repeat
from typing import NoReturn

from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.stanza import refusal as refusal_of
from xmpp_rest.service.messages.batch import OutboundMessage, Result, Results
from xmpp_rest.service.rooms.refused import RoomRefusal
from xmpp_rest.service.rooms.said import REFUSED, SpokenResult
from xmpp_rest.service.rooms.speaking import Speaking

Begin = Callable[[Sequence[OutboundMessage]], Results]
"""Sends stanzas; what is returned waits for the results."""


def begin_sendable(stanzas: Sequence[OutboundMessage], errors: Sequence[GatewayError | None], begin: Begin) -> Results:
    """Send those for which there is no error yet, and have an error for each of them if they cannot be sent at all. Raises nothing."""
    try:
        begun = begin([outgoing for outgoing, error in zip(stanzas, errors, strict=True) if error is None])
    except Exception as e:
        begun = partial(_raise, e)

    def finish() -> list[Result]:
        results: Iterator[Result]
        try:
            results = iter(begun())
        except Exception as e:
            results = repeat(e)
        return [error or next(results) for error in errors]

    return finish


def begin_with_rooms(speaking: Speaking, stanzas: Sequence[OutboundMessage], nick: str, begin: Begin) -> Results:
    """Say what is for rooms elsewhere, coming in as `nick`, and `begin` to send the others."""
    is_said = [speaking.is_for_room(*outgoing[:3]) for outgoing in stanzas]
    if not any(is_said):
        return begin(stanzas)
    others = begin([outgoing for outgoing, said in zip(stanzas, is_said, strict=True) if not said])
    rooms = speaking.begin_many([outgoing for outgoing, said in zip(stanzas, is_said, strict=True) if said], nick)

    def finish() -> list[Result]:
        sent, spoken = iter(others()), iter(rooms())
        return [_result_of(next(spoken), outgoing) if said else next(sent) for outgoing, said in zip(stanzas, is_said, strict=True)]

    return finish


def begin_written(stanzas: Sequence[OutboundMessage], begin: Callable[[list[OutboundMessage]], Results]) -> Results:
    """Send those that can be written as XML, with their texts; the others have the error of that."""
    written = [_with_text(outgoing) for outgoing in stanzas]
    begun = begin([outgoing for outgoing in written if isinstance(outgoing, OutboundMessage)])

    def finish() -> list[Result]:
        results = iter(begun())
        return [next(results) if isinstance(outgoing, OutboundMessage) else outgoing for outgoing in written]

    return finish


def _result_of(said: SpokenResult, outgoing: OutboundMessage) -> Result:
    """What became of a message to a room. One that is refused at once, by a room that has put its sender out, is answered by that."""
    if said.state == REFUSED and isinstance(said.why, RoomRefusal):
        return refusal_of(outgoing.stanza, said.why.error._replace(by=said.why.by))
    return said.error or said.blocked


def _with_text(outgoing: OutboundMessage) -> OutboundMessage | BadXML:
    """The stanza with its text, or the error of serialising it."""
    try:
        return outgoing if outgoing.text else outgoing._replace(text=serialise(outgoing.stanza))
    except BadXML as e:
        return e


def _raise(error: Exception) -> NoReturn:
    raise error
