"""Sends one message to several recipients, with a result for each."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, NoReturn
from xml.etree.ElementTree import Element

from flask import Response

from xmpp_rest.api.rest.addressing import Addressed, Rejected, address
from xmpp_rest.api.rest.errors import RestFailure, error_object, failure
from xmpp_rest.api.rest.refused import REFUSED, failure_for, fields_of
from xmpp_rest.api.rest.resource import Failed
from xmpp_rest.api.rest.room_answers import nick_for_all, unshown
from xmpp_rest.api.rest.send import Send
from xmpp_rest.api.rest.several import SeveralRecipients
from xmpp_rest.api.rest.timing import time_of, to_schedule
from xmpp_rest.http.body import dump_json
from xmpp_rest.http.resource import Stop
from xmpp_rest.protocol.codecs import JSON
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.datetimes import write_datetime
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import addressed as readdressed
from xmpp_rest.protocol.stanza import condition_of, new_id
from xmpp_rest.service.accounts.ports import SendingPort
from xmpp_rest.service.messages.batch import OutboundMessage, Result
from xmpp_rest.service.rooms.said import REFLECTED, UNSHOWN, SpokenResult
from xmpp_rest.threads.waits import Wait

BY_RECIPIENT = 502
"""The status where all recipients, or their servers, have refused; 503 where one of them did so for now."""


class OneOfMany(NamedTuple):
    """The message to one recipient. `refused`: why it may not be sent, or None. `is_id_given`: its id comes of that of the request."""

    message: Addressed
    refused: RestFailure | None = None
    is_id_given: bool = False


class ManyResult(NamedTuple):
    """What became of one recipient. `more`: members of the answer where it was accepted."""

    one: OneOfMany
    failure: RestFailure | None = None
    more: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """As it stands in answers."""
        named = {"to": str(self.one.message.to), "id": self.one.message.stanza.attrib["id"]}
        if self.failure is None:
            return named | {"outcome": "accepted"} | (self.more or {})
        error = {"type": self.failure.type, "condition": self.failure.condition, "text": self.failure.text}
        outcome = "unknown" if self.failure.unsure else "refused"
        return named | {"outcome": outcome, "error": {k: v for k, v in error.items() if v}}


def messages_to_all(resource: Send, template: Element, named: SeveralRecipients) -> list[OneOfMany]:
    """The message for each recipient, once for each. Raises Rejected, GatewayError: then nothing was sent."""
    most = resource.gateway.settings.rest.recipients
    if len(named.recipients) > most:
        resource.fail(failure("size", recipients=len(named.recipients), limit=most))
    if template.tag != "message":
        raise Rejected("to", f"only a message may have several recipients, and this is {template.tag[:100]}")
    given = template.get("id")
    found: dict[JID, OneOfMany] = {}
    for number, written in enumerate(named.recipients, 1):
        if not isinstance(written, str):
            raise Rejected("to", f"to[{number - 1}] is not a string")
        stanza = readdressed(template, written)
        stanza.set("id", f"{given}-{number}" if given else new_id())
        one = _addressed(resource, stanza, written)._replace(is_id_given=given is not None)
        resource.services.sending.require_sendable(stanza, one.message.to)
        found.setdefault(one.message.to, one)
    if not found:
        raise Rejected("to", "the list is empty; name one recipient at least")
    return [*found.values()]


def _addressed(resource: Send, stanza: Element, written: str) -> OneOfMany:
    """The message to one recipient; what the credentials are not good for is refused for that one alone."""
    try:
        return OneOfMany(address(stanza, resource.caller))
    except Rejected as e:
        if e.name != "scope":
            raise Rejected(e.name, f"{written[:100]!r}: {e.reason}" if e.name == "to" else e.reason) from e
        return OneOfMany(address(stanza, replace(resource.caller, recipients=None)), failure_for(e))


def send_to_all(resource: Send, messages: Sequence[OneOfMany]) -> NoReturn:
    """Send the messages, and stop with a result for each: 202 if one was accepted at least."""
    resource.charge()
    at = time_of(resource)
    good = [one for one in messages if one.refused is None]
    results = _schedule(resource, good, at) if at is not None else _send(resource, good)
    refused = [ManyResult(one, one.refused) for one in messages if one.refused is not None]
    by_message = {id(result.one.message): result for result in (*results, *refused)}
    _answer(resource, [by_message[id(one.message)] for one in messages])


def _send(resource: Send, messages: Sequence[OneOfMany]) -> list[ManyResult]:
    sending = resource.services.sending
    seconds, nick = resource.wanted_wait(), nick_for_all(resource)
    if seconds is None:
        return _send_now(sending, messages, nick)
    with resource.gateway.parts.waits.holding(str(resource.caller.jid.bare)):
        resource.set_field("Preference-Applied", f"wait={seconds:g}")
        in_rooms = [one for one in messages if seconds and sending.is_for_room(*one.message)]
        results = _send_now(sending, [one for one in messages if one not in in_rooms], nick, Wait(seconds, resource.gone))
        end = time.monotonic() + seconds
        results += _say(sending, in_rooms, nick, Wait(seconds, resource.gone))
        return [_decided(sending, result, Wait(max(0.0, end - time.monotonic()), resource.gone)) for result in results]


def _send_now(sending: SendingPort, messages: Sequence[OneOfMany], nick: str, wait: Wait | None = None) -> list[ManyResult]:
    results = sending.send_many([OutboundMessage(*one.message) for one in messages], nick, wait) if messages else []
    return [_result(one, result) for one, result in zip(messages, results, strict=True)]


def _say(sending: SendingPort, messages: Sequence[OneOfMany], nick: str, wait: Wait) -> list[ManyResult]:
    """Say it in rooms elsewhere, and wait for them to show it: without that it is not accepted (rooms-anywhere §3.1)."""
    if not messages:
        return []
    try:
        results = sending.say_many([OutboundMessage(*one.message) for one in messages], nick, wait)
    except REFUSED as e:  # what the others have got is told none the less
        return [ManyResult(one, failure_for(e)) for one in messages]
    return [_said(one, said, wait.seconds) for one, said in zip(messages, results, strict=True)]


def _said(one: OneOfMany, said: SpokenResult, seconds: float) -> ManyResult:
    if said.state == REFLECTED:
        return ManyResult(one, more={"state": said.state})
    if said.state == UNSHOWN:
        return ManyResult(one, unshown(one.message.to, one.message.stanza.attrib["id"], seconds))
    return _result(one, said.error or said.blocked)


def _result(one: OneOfMany, result: Result) -> ManyResult:
    if result is None:
        return ManyResult(one)
    if isinstance(result, Exception):
        return ManyResult(one, failure_for(result))
    return ManyResult(one, _of_recipient(condition_of(result)))


def _of_recipient(error: StanzaError) -> RestFailure:
    return RestFailure(503 if error.type == "wait" else BY_RECIPIENT, error.type, error.condition, error.text)


def _decided(sending: SendingPort, result: ManyResult, wait: Wait) -> ManyResult:
    if result.failure is not None or result.more is not None:
        return result
    stanza, sender, _ = result.one.message
    outcome = sending.outcome_within(sender, stanza.attrib["id"], wait)
    if outcome is None:
        return result._replace(more={"state": "accepted"})
    if outcome.refusal is not None:
        return ManyResult(result.one, _of_recipient(condition_of(outcome.refusal)))
    return result._replace(more={"state": outcome.state})


def _schedule(resource: Send, messages: Sequence[OneOfMany], at: float) -> list[ManyResult]:
    scheduled = resource.gateway.parts.scheduled
    results = []
    for one in messages:
        try:
            due = scheduled.schedule_stanza(to_schedule(resource, one.message, is_id_given=one.is_id_given), at)
        except REFUSED as e:
            results.append(ManyResult(one, failure_for(e)))
        else:
            results.append(ManyResult(one, more={"scheduled": {"id": due.id, "at": write_datetime(due.at)}}))
    return results


def _answer(resource: Send, results: Sequence[ManyResult]) -> NoReturn:
    value: dict[str, Any] = {"results": [result.to_json() for result in results]}
    failures = [result.failure for result in results if result.failure is not None]
    if len(failures) < len(results):
        applied = resource.response.headers.get("Preference-Applied")
        fields = {"Preference-Applied": applied} if applied else {}
        raise Stop(Response(dump_json(value), 202, fields, content_type=JSON))
    for_now = next((each for each in failures if each.status == 503), None)
    error = (for_now or failures[0])._replace(unsure=any(each.unsure for each in failures))
    value = {"type": "error", "code": error.status, "error": error_object(error)} | value
    raise Failed(Response(dump_json(value), error.status, fields_of(error), content_type=JSON), error)
