"""Sends what is due, or drops it: the rights of the owner count as of then."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from itertools import groupby

from drivers import StorageError
from xmpp_rest.auth.record import BANNED
from xmpp_rest.errors import GatewayError
from xmpp_rest.logs.events import say
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.parse import parse_stored
from xmpp_rest.protocol.stanza import refusal
from xmpp_rest.service.accounts.accounts import Accounts
from xmpp_rest.service.messages.batch import OutboundMessage, OutboundMessages, Result
from xmpp_rest.service.messages.outcomes import Outcomes
from xmpp_rest.service.messages.send import Sending
from xmpp_rest.service.scheduled.hook_messages import HookMessages, OnSettled
from xmpp_rest.service.scheduled.message import ScheduledMessage
from xmpp_rest.service.scheduled.side_by_side import SideBySide

log = logging.getLogger("xmpp_rest.link")

FINAL = ("room-refused",)  # a room is not asked again, whatever it says
OF_ONE = frozenset(("outbox-share", "room-held", "storage-failed"))
"""Errors of one sender, whose messages wait while those of others go out."""
FORBIDDEN = StanzaError("auth", "forbidden", "The account may not send any more")


class Unsent:
    """The ids of messages that cannot be sent now. `all_wait`: nor can any message of another owner."""

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self.all_wait = False

    def add(self, *ids: str, all_wait: bool = False) -> None:
        """These cannot be sent now."""
        self.ids.update(ids)
        self.all_wait = self.all_wait or all_wait


class ScheduledSending:
    """Sends messages whose time has come; in the leader."""

    def __init__(self, sending: Sending, accounts: Accounts, outcomes: Outcomes, hooks: HookMessages, side_by_side: SideBySide) -> None:
        self._sending = sending
        self._side_by_side = side_by_side
        self._accounts = accounts
        self._outcomes = outcomes
        self._hooks = hooks

    def send(self, messages: Sequence[ScheduledMessage], settled: OnSettled, *, known_before: float) -> Unsent:
        """Send these, in order; what is left. Raises StorageError before anything is sent.

        What hooks say is settled later, when `settled` is called. `known_before`: what was due by then (Unix time) may have been sent by an
        earlier process, which did not come to remove it.
        """
        unsent = Unsent()
        owners = dict.fromkeys(m.owner for m in messages if m.said is None and not m.of_component)
        barred = {owner for owner in owners if self._is_barred(owner)}
        for of_hooks, run in groupby(messages, lambda m: m.said is not None):
            if of_hooks:
                for message in run:
                    self._send_said(message, settled)
            else:
                self._send_stanzas([m for m in run if self._may_be_sent(m, barred)], known_before, unsent)
        return unsent

    def _send_said(self, message: ScheduledMessage, settled: OnSettled) -> None:
        try:
            self._hooks.send(message, settled)
        except StorageError as e:  # it does not say whether there is the hook
            log.warning("the scheduled message %s of the hook %s cannot be sent now: %s", message.id, message.hook, e)
            settled(message.id, False)

    def _is_barred(self, owner: JID) -> bool:
        """Whether no account of this address may send anything."""
        record = self._accounts.record(owner)
        return record is None or bool(record.get(BANNED))

    def _may_be_sent(self, message: ScheduledMessage, barred: set[JID]) -> bool:
        if message.of_component or message.owner not in barred:
            return True
        self._dropped(message, "the account is banned, or there is none any more")
        return False

    def _send_stanzas(self, messages: Sequence[ScheduledMessage], known_before: float, unsent: Unsent) -> None:
        """Send these in the order that one recipient sees; to those here, which wait for the disk one by one, side by side."""
        good = [(m, outgoing) for m in messages if (outgoing := self._outgoing(m)) is not None]
        streams: dict[JID | None, list[tuple[ScheduledMessage, OutboundMessage]]] = {}
        for message, outgoing in good:
            streams.setdefault(None if self._sending.shares_commits(outgoing) else outgoing.to, []).append((message, outgoing))
        results: dict[str, Result] = {m.id: StorageError("the message could not be handed on") for m, _ in good}
        self._side_by_side.run([partial(self._send_stream, stream, known_before, results) for stream in streams.values()])
        for message, outgoing in good:
            self._settle(message, outgoing, results[message.id], unsent)

    def _send_stream(
        self, stream: Sequence[tuple[ScheduledMessage, OutboundMessage]], known_before: float, results: dict[str, Result]
    ) -> None:
        for may_be_known, group in groupby(stream, lambda pair: pair[0].at <= known_before and not pair[0].is_id_given):
            run = list(group)
            found = self._results([o for _, o in run], may_be_known)
            results.update(zip([m.id for m, _ in run], found, strict=True))

    def _results(self, stanzas: Sequence[OutboundMessage], may_be_known: bool) -> Sequence[Result]:
        if not may_be_known:
            return self._sending.send_many(stanzas)
        try:
            return self._sending.send_again(OutboundMessages(stanzas))
        except StorageError as e:  # it does not say whether they are known
            return [e] * len(stanzas)

    def _outgoing(self, message: ScheduledMessage) -> OutboundMessage | None:
        try:
            stanza = parse_stored(message.stanza)
            sender = parse_jid(stanza.attrib["from"])
            to = parse_jid(stanza.attrib["to"]) if "to" in stanza.attrib else sender.bare
        except (BadXML, KeyError, ValueError) as e:
            log.error("the scheduled message %s of %s cannot be read, and is dropped: %r", message.id, message.owner, e)
            return None
        return OutboundMessage(stanza, sender, to, message.stanza)

    def _settle(self, message: ScheduledMessage, outgoing: OutboundMessage, result: Result, unsent: Unsent) -> None:
        if result is None:
            say(log, logging.DEBUG, "scheduled-sent", sender=str(message.owner), stanza_id=message.stanza_id, id=message.id)
        elif not isinstance(result, Exception):  # its outcome is known already
            say(log, logging.INFO, "scheduled-refused", sender=str(message.owner), stanza_id=message.stanza_id, id=message.id)
        elif isinstance(result, StorageError) or (isinstance(result, GatewayError) and _is_for_now(result)):
            unsent.add(message.id, all_wait=isinstance(result, GatewayError) and result.name not in OF_ONE)
        else:
            error = StanzaError(result.row.type, result.row.condition, result.text) if isinstance(result, GatewayError) else None
            self._dropped(message, str(result), error or StanzaError("modify", "bad-request", str(result)), outgoing)

    def _dropped(
        self, message: ScheduledMessage, why: str, error: StanzaError = FORBIDDEN, outgoing: OutboundMessage | None = None
    ) -> None:
        """Log that a message is not sent, and have its outcome tell so."""
        fields = {"stanza_id": message.stanza_id, "id": message.id, "reason": why}
        say(log, logging.WARNING, "scheduled-dropped", sender=str(message.owner), **fields)
        if (sent := outgoing or self._outgoing(message)) is not None:
            identifier = message.stanza_id
            self._outcomes.all_accepted([(sent.sender, identifier)])
            self._outcomes.processed(sent.sender, identifier, refusal(sent.stanza, error))


def _is_for_now(error: GatewayError) -> bool:
    return error.row.type == "wait" and error.name not in FINAL
