"""Sending of what accounts of other servers send: by their sessions, in any process (accounts-anywhere §7.1, §7.2).

What the gateway does for its own accounts beside sending is here their server's business: archives, rosters, lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from xml.etree.ElementTree import Element

from xmpp_rest.config.login_tables import SessionsSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.pending import jid_or_none
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.processes.group import End, Reply
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID, is_bare_name
from xmpp_rest.protocol.stanza import is_too_long
from xmpp_rest.request_notes import current_id
from xmpp_rest.service.messages.batch import OutboundMessage, OutboundMessages, Result, Results
from xmpp_rest.service.messages.in_parts import begin_sendable, begin_with_rooms, begin_written
from xmpp_rest.service.messages.outcomes import Outcome
from xmpp_rest.service.messages.send import Sending
from xmpp_rest.service.rooms.said import SpokenResult
from xmpp_rest.service.rooms.speaking import Speaking
from xmpp_rest.service.sessions.handover import Handover, Handovers
from xmpp_rest.service.sessions.refused import answered_in_time
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.tasks import current_task
from xmpp_rest.threads.timers import Timer
from xmpp_rest.threads.waits import Wait, Waits

UNDECIDED = frozenset(("accepted", "written"))
"""States of a stanza that the session still has."""


class ForeignSending:
    """The `SendingPort` of accounts of other servers. `hosted` has what is the same for all: outcomes, iqs, rooms."""

    def __init__(
        self,
        hosted: Sending,
        handovers: Handovers,
        speaking: Speaking,
        settings: SessionsSettings,
        waits: Waits,
        remote: Remote,
        counts: Counts,
    ) -> None:
        self._hosted = hosted
        self._handovers = handovers
        self._speaking = speaking
        self._patience = settings.confirm_timeout
        self._waits = waits
        self._remote = remote
        self._counts = counts
        remote.offer(self)

    def configure(self, settings: SessionsSettings) -> None:
        """Wait by these settings from now on."""
        self._patience = settings.confirm_timeout

    # -- one

    def send(self, stanza: Element, sender: JID, to: JID) -> Element | None:
        """Send a message or presence, and wait until its server has processed it, `confirm_timeout` at most; the error that has come back.

        Raises BadXML and GatewayError: session-lost, outbox-share, stanza-too-big, waits-full; if it may arrive session-broke.
        """
        self.require_sendable(stanza, to)
        self._counts.handed_in(stanza.tag)
        if self._speaking.is_for_room(stanza, sender, to):
            return self._speaking.say(OutboundMessage(stanza, sender, to, request_id=current_id() or "")).answer()
        with self._waits.confirming(str(sender.bare)):
            return self._handed_over(stanza, sender, to, Wait(self._patience))

    def send_directly(self, stanza: Element, sender: JID, to: JID) -> Element | None:
        """As `send`, also to rooms that nobody comes into: those of MUC Light."""
        self.require_sendable(stanza, to)
        self._counts.handed_in(stanza.tag)
        with self._waits.confirming(str(sender.bare)):
            return self._handed_over(stanza, sender, to, Wait(self._patience))

    def _handed_over(self, stanza: Element, sender: JID, to: JID, wait: Wait) -> Element | None:
        outgoing = OutboundMessage(stanza, sender, to, request_id=current_id() or "")
        with answered_in_time(sender.domain):
            (result,) = self.send_batch(OutboundMessages([outgoing]), wait)
        if isinstance(result, Exception):
            raise result
        return result

    def send_and_wait(self, stanza: Element, sender: JID, to: JID, wait: Wait) -> tuple[Element | None, str]:
        """As `send`, for so long; with the state of the outcome. What has not been processed by then is not lost."""
        if self.is_for_room(stanza, sender, to):
            return self._hosted.send_and_wait(stanza, sender, to, wait)
        self.require_sendable(stanza, to)
        self._counts.handed_in(stanza.tag)
        try:
            with self._waits.holding(str(sender.bare)):  # as long as the client wants
                refusal = self._handed_over(stanza, sender, to, wait)
        except GatewayError as e:
            outcome = self.outcome(sender, stanza.get("id", "")) if e.name == "session-broke" else None
            if outcome is None or outcome.state not in UNDECIDED:
                raise
            return None, outcome.state
        outcome = self.outcome(sender, stanza.get("id", ""))
        state = "accepted" if outcome is None else outcome.state
        return refusal, "refused" if refusal is not None else state

    def post(self, stanza: Element, sender: JID, to: JID) -> None:
        """Send a message; who listens hears of an error. Raises as `send`."""
        self.send(stanza, sender, to)

    def ask(self, iq: Element, wait: Wait) -> tuple[Element, list[Element]]:
        """Send an iq and wait for its answer, as `Sending.ask`. Raises session-broke as well, where the session ends before."""
        return self._hosted.ask(iq, wait)

    # -- many

    def send_many(self, stanzas: Sequence[OutboundMessage], nick: str = "", wait: Wait | None = None) -> list[Result]:
        """As `send` for each of them, in order; what it would raise is a result. `nick`: of `say`; `wait`: None: `confirm_timeout`."""
        if not stanzas:
            return []
        try:
            with self._waits.confirming(str(stanzas[0].sender.bare)):
                return self._begin_sendable(stanzas, nick, wait)()
        except GatewayError as e:
            return [e for _ in stanzas]

    def begin_many(self, stanzas: Sequence[OutboundMessage], nick: str = "") -> Results:
        """As `send_many`, in two steps: what is returned waits for the results. Raises nothing.

        A thread waits at once, as what it holds is bounded per account.
        """
        if current_task() is None:
            results = self.send_many(stanzas, nick)
            return lambda: results
        return self._begin_sendable(stanzas, nick, None)

    def _begin_sendable(self, stanzas: Sequence[OutboundMessage], nick: str, wait: Wait | None) -> Results:
        begin_sending = partial(self._begin, wait or Wait(self._patience))
        request_id = current_id() or ""
        errors = [self._unsendable(outgoing.stanza, outgoing.to) for outgoing in stanzas]

        def begin(good: Sequence[OutboundMessage]) -> Results:
            for outgoing in good:
                self._counts.handed_in(outgoing.stanza.tag)
            return begin_with_rooms(self._speaking, [outgoing._replace(request_id=request_id) for outgoing in good], nick, begin_sending)

        return begin_sendable(stanzas, errors, begin)

    def _begin(self, wait: Wait, stanzas: Sequence[OutboundMessage]) -> Results:
        if not self._remote.follows():
            return self._begin_here(stanzas, wait) if stanzas else list
        return begin_written(stanzas, lambda good: self._begin_on_leader(OutboundMessages(good), wait))

    def _begin_on_leader(self, stanzas: OutboundMessages, wait: Wait) -> Results:
        if not stanzas:
            return list
        domain, sent = stanzas[0].sender.domain, self._remote.begin_call(SEND_BATCH, stanzas, wait)

        def results() -> list[Result]:
            with answered_in_time(domain):
                return list(sent())

        return results

    # -- in the leader

    def _begin_here(self, stanzas: Sequence[OutboundMessage], wait: Wait) -> Results:
        ended = OneShot[Handover]()
        handover = self._handovers.begin(stanzas, ended.give)

        def results() -> list[Result]:
            ended.wait(*wait)
            return handover.results()

        return results

    def _send_batch_deferred(self, reply: Reply, stanzas: OutboundMessages, wait: Wait) -> End:
        ended = OneShot[bool]()

        def end(handover: Handover) -> None:
            if ended.give(True):
                timers.cancel(timer)
                reply(handover.results())

        def give_up() -> None:
            end(handover)

        timers, timer = self._remote.timers, Timer(give_up)
        handover = self._handovers.begin(stanzas, end)
        timers.set(timer, wait.seconds)
        return give_up

    @on_leader(deferred=_send_batch_deferred)
    def send_batch(self, stanzas: OutboundMessages, wait: Wait) -> list[Result]:
        """Send these, which can be, for one account; what is known of each once its server has processed them, or the wait is over.

        The caller is among those who wait.
        """
        return self._begin_here(stanzas, wait)()

    # -- what is the same for all accounts

    def outcome(self, sender: JID, identifier: str) -> Outcome | None:
        """What became of a stanza, if it is remembered."""
        return self._hosted.outcome(sender, identifier)

    def outcome_within(self, sender: JID, identifier: str, wait: Wait) -> Outcome | None:
        """The same once it is decided, or when the wait is over. Raises nothing."""
        return self._hosted.outcome_within(sender, identifier, wait)

    def is_for_room(self, stanza: Element, sender: JID, to: JID) -> bool:
        """Whether this is said in a room: `say` tells more of that."""
        return self._speaking.is_for_room(stanza, sender, to)

    def say(self, stanza: Element, sender: JID, to: JID, nick: str = "", wait: Wait | None = None) -> SpokenResult:
        """Say something in a room, as `Sending.say`."""
        return self._hosted.say(stanza, sender, to, nick, wait)

    def say_many(self, stanzas: Sequence[OutboundMessage], nick: str, wait: Wait) -> list[SpokenResult]:
        """As `say` of each, side by side."""
        return self._hosted.say_many(stanzas, nick, wait)

    def require_sendable(self, stanza: Element, to: JID) -> None:
        """Raise GatewayError, bad-recipient or id-too-long, for a stanza that cannot be sent."""
        if (error := self._unsendable(stanza, to)) is not None:
            raise error

    @staticmethod
    def _unsendable(stanza: Element, to: JID) -> GatewayError | None:
        """The error for a stanza with a name instead of an address, or with an id that is too long; None for any other."""
        if is_too_long(stanza.get("id", "")):
            return GatewayError("id-too-long")
        sender = jid_or_none(stanza.get("from"))
        own = "" if sender is None else sender.domain
        if stanza.tag != "iq" and is_bare_name(to, frozenset((own,))):
            return GatewayError("bad-recipient", f"{str(to)[:100]!r} is not an address; did you mean {to.domain[:100]}@{own or 'DOMAIN'}?")
        return None


SEND_BATCH = ForeignSending.send_batch.__qualname__
