"""Sending of stanzas of accounts and of the gateway itself: the one way out that every API uses.

A stanza is accepted once the outbox has it, or the hosted recipient. An exception is raised before that: the stanza was not accepted.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import Router
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.processes.group import End, Reply
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.jid import JID, is_bare_name, parse_jid
from xmpp_rest.protocol.stanza import condition_of, is_too_long
from xmpp_rest.request_notes import current_id
from xmpp_rest.service.contacts.contacts import Contacts
from xmpp_rest.service.contacts.privacy_guard import Guard
from xmpp_rest.service.messages.batch import MOST, BatchSender, OutboundMessage, OutboundMessages, Result, Results
from xmpp_rest.service.messages.in_parts import begin_sendable, begin_with_rooms, begin_written
from xmpp_rest.service.messages.mailbox import Mailbox
from xmpp_rest.service.messages.outcomes import Outcome, Outcomes
from xmpp_rest.service.messages.passed_outcomes import PassedOutcomes
from xmpp_rest.service.rooms.said import REFLECTED, SpokenResult
from xmpp_rest.service.rooms.speaking import Speaking
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.group import GroupExecutor
from xmpp_rest.threads.tasks import current_task
from xmpp_rest.threads.timers import Timer
from xmpp_rest.threads.waits import Wait, Waits

log = logging.getLogger("xmpp_rest.link")

FULL = ("outbox-full", "outbox-share")  # errors: there is no room in the outbox


class Sending:
    """Sends the stanzas of callers, and archives messages for the sender."""

    def __init__(
        self,
        router: Router,
        mailbox: Mailbox,
        contacts: Contacts,
        guard: Guard,
        outcomes: Outcomes,
        speaking: Speaking,
        waits: Waits,
        remote: Remote,
        incidents: Incidents,
        counts: Counts,
    ) -> None:
        self._router = router
        self._mailbox = mailbox
        self._contacts = contacts
        self._guard = guard
        self._outcomes = outcomes
        self._speaking = speaking
        self._waits = waits
        self._incidents = incidents
        self._counts = counts
        self._passed = PassedOutcomes(router, outcomes, JID("", mailbox.domain, ""), remote.timers)
        self._batch_sender = BatchSender(router, mailbox, outcomes, self._alone, guard.watches)
        self._remote_batch: GroupExecutor[OutboundMessage, Result] = GroupExecutor(self._send_on_leader, MOST, parks=True)
        self._remote = remote
        remote.offer(self)

    def send(self, stanza: Element, sender: JID, to: JID) -> Element | None:
        """Send a message or presence, addressed and with an id. The answer if there is one at once; None: it was accepted.

        Accepted messages are in the sender's archive for all later readers. Raises, if the stanza was not accepted,
        GatewayError: outbox-full, outbox-share; BadXML; StorageError. With `unanswered` it is unknown whether it was accepted.
        A message to a room elsewhere waits until its sender is in; RoomRefused: the room has refused that.
        """
        return self._one(OutboundMessage(stanza, sender, to, request_id=current_id() or ""))

    def is_for_room(self, stanza: Element, sender: JID, to: JID) -> bool:
        """Whether this is said in a room elsewhere: `say` tells more of that."""
        return self._speaking.is_for_room(stanza, sender, to)

    def say(self, stanza: Element, sender: JID, to: JID, nick: str = "", wait: Wait | None = None) -> SpokenResult:
        """Say something in a room elsewhere, for which `is_for_room` holds. `nick`: under which to come in, if the request names one.

        `wait`: for the room to show it, once it is accepted; None: not at all. Raises GatewayError, waits-full, before anything is done.
        """
        self.require_sendable(stanza, to)
        self._counts.handed_in(stanza.tag)
        outgoing = OutboundMessage(stanza, sender, to, request_id=current_id() or "")
        return self._speaking.say(outgoing, nick, wait.seconds if wait is not None else None, wait)

    def say_many(self, stanzas: Sequence[OutboundMessage], nick: str, wait: Wait) -> list[SpokenResult]:
        """As `say` of each, which can be sent, and all are waited for side by side; the caller is counted among those who wait.

        Raises GatewayError, if what became of them is not known.
        """
        request_id = current_id() or ""
        for outgoing in stanzas:
            self._counts.handed_in(outgoing.stanza.tag)
        return self._speaking.begin_and_wait([o._replace(request_id=request_id) for o in stanzas], nick, wait.seconds, wait)()

    def _one(self, outgoing: OutboundMessage) -> Element | None:
        self.require_sendable(outgoing.stanza, outgoing.to)
        self._counts.handed_in(outgoing.stanza.tag)
        if self._speaking.is_for_room(*outgoing[:3]):
            return self._speaking.say(outgoing).answer()
        try:
            return self._sent(outgoing)
        except GatewayError as e:
            self._count_if_full(e)
            raise

    def _count_if_full(self, error: Exception) -> None:
        if isinstance(error, GatewayError) and error.name in FULL:
            self._counts.outbox_refused()

    def _sent(self, outgoing: OutboundMessage) -> Element | None:
        follows = self._remote.follows()
        if follows and outgoing.to.domain in self._router.domains:
            with self._waits.calling():
                (result,) = self._send_on_leader([outgoing])  # of these the leader does several at once
        elif follows or self._batch_sender.is_batchable(outgoing):
            (result,) = self._send_many([outgoing])
        else:
            return self._alone(outgoing)
        if isinstance(result, Exception):
            raise result
        return result

    def _alone(self, outgoing: OutboundMessage) -> Element | None:
        stanza, sender, to = outgoing[:3]
        if outgoing.posted:
            self._post_alone(stanza, sender, to)
            return None
        identifier = stanza.get("id", "")
        begun = self._outcomes.all_accepted([(sender, identifier)])
        try:
            refusal = self._send(stanza, sender, to, keep_refused=False)
        except Exception:
            self._outcomes.forget(begun)
            raise
        if refusal is not None:
            self._outcomes.processed(sender, identifier, refusal)
        elif sender.domain in self._router.beyond.domains:
            pass  # another owner has it, and is told what becomes of it
        elif self._router.is_own(to.domain):
            self._outcomes.processed(sender, identifier)
        elif to.domain in self._router.domains:
            self._passed.passed(to.domain, sender, identifier)
        return refusal

    def send_many(self, stanzas: Sequence[OutboundMessage], nick: str = "", wait: Wait | None = None) -> list[Result]:
        """As `send` for each of them, in order, with fewer waits for the disk; what it would raise is a result. `nick`: of `say`.

        `wait`: of no matter, as no server is waited for.
        """
        return self.begin_many(stanzas, nick)()

    def send_without_entering(self, outgoing: OutboundMessage) -> Result:
        """As `send_many` of one; but a room elsewhere is written to as anybody, as those of MUC Light are. Raises nothing."""
        if (error := self._unsendable(outgoing.stanza, outgoing.to)) is not None:
            return error
        self._counts.handed_in(outgoing.stanza.tag)
        try:
            (result,) = self._send_many([outgoing._replace(request_id=current_id() or "")])
        except Exception as e:
            return e
        return self._counted(result)

    def begin_many(self, stanzas: Sequence[OutboundMessage], nick: str = "") -> Results:
        """As `send_many`, in two steps. Raises nothing.

        A follower has told the leader when this returns; the function that is returned waits for it, and is called before
        anything else is sent that is to come after these.
        """
        request_id = current_id() or ""
        errors = [self._unsendable(o.stanza, o.to) for o in stanzas]

        def begin(good: Sequence[OutboundMessage]) -> Results:
            for outgoing in good:
                self._counts.handed_in(outgoing.stanza.tag)
            return self._begin_with_rooms([outgoing._replace(request_id=request_id) for outgoing in good], nick)

        finish = begin_sendable(stanzas, errors, begin)
        return lambda: [self._counted(result) for result in finish()]

    def _counted(self, result: Result) -> Result:
        if isinstance(result, Exception):
            self._count_if_full(result)
        return result

    def _begin_with_rooms(self, stanzas: Sequence[OutboundMessage], nick: str = "") -> Results:
        """As `_begin_many`; but what is said in rooms elsewhere goes its own way, so that coming into them holds up nothing else."""
        return begin_with_rooms(self._speaking, stanzas, nick, self._begin_many)

    def _begin_many(self, stanzas: Sequence[OutboundMessage]) -> Results:
        if len(stanzas) > MOST and self._remote.follows() and current_task() is not None:
            return self._begin_on_leader(stanzas, partial(self._remote.begin_call, SEND_BATCH))  # too many to share a call with others
        results = self._send_many(stanzas)
        return lambda: results

    def _send_many(self, stanzas: Sequence[OutboundMessage]) -> list[Result]:
        if not self._remote.follows():
            return self._batch_sender(stanzas)
        with self._waits.calling():
            return list(self._remote_batch.run(stanzas))

    def shares_commits(self, outgoing: OutboundMessage) -> bool:
        """Whether `send_many` sends it together with others, with one wait for the disk."""
        return self._batch_sender.is_batchable(outgoing) and not self._speaking.is_for_room(*outgoing[:3])

    def require_sendable(self, stanza: Element, to: JID) -> None:
        """Raise GatewayError, bad-recipient or id-too-long, for a stanza that cannot be sent."""
        if (error := self._unsendable(stanza, to)) is not None:
            raise error

    def _unsendable(self, stanza: Element, to: JID) -> GatewayError | None:
        """The error for a stanza with a name instead of an address, or with an id that is too long; None for any other."""
        if is_too_long(stanza.get("id", "")):
            return GatewayError("id-too-long")
        if stanza.tag != "iq" and is_bare_name(to, self._router.domains):  # an iq is answered, at least by an error
            example = f"{to.domain[:100]}@{self._mailbox.domain}"
            return GatewayError("bad-recipient", f"{str(to)[:100]!r} is not an address; did you mean {example}?")
        return None

    def _send_on_leader(self, stanzas: Sequence[OutboundMessage]) -> list[Result]:
        return self._begin_on_leader(stanzas, lambda good: partial(self.send_batch, good))()

    def _begin_on_leader(self, stanzas: Sequence[OutboundMessage], begin: Callable[[OutboundMessages], Results]) -> Results:
        def begin_good(good: list[OutboundMessage]) -> Results:
            messages = OutboundMessages(good)
            begun = begin(messages)

            def finish() -> list[Result]:
                try:
                    return begun()
                except GatewayError as e:  # the leader has just ended
                    return self._try_again(messages) if e.name == "unanswered" else [e for _ in messages]

            return finish

        return begin_written(stanzas, begin_good)

    def _try_again(self, stanzas: OutboundMessages) -> list[Result]:
        """Send these on the next leader, as it is unknown whether the last one has sent them."""
        try:
            return self.send_again(stanzas)
        except GatewayError:
            return [self._remote.unanswered() for _ in stanzas]

    def _send_batch_deferred(self, reply: Reply, stanzas: OutboundMessages) -> None:
        self._batch_sender.submit(stanzas, reply, self._remote.pool.submit)

    @on_leader(deferred=_send_batch_deferred)
    def send_batch(self, stanzas: OutboundMessages) -> list[Result]:
        """As `send` for each of these, which have been checked; the caller is among the `calling`."""
        return self._batch_sender(stanzas)

    def _send_again_deferred(self, reply: Reply, stanzas: OutboundMessages) -> None:
        def work() -> None:
            try:
                reply(self.send_again(stanzas))
            except Exception as e:
                reply(e)

        self._remote.pool.submit(work)

    @on_leader(deferred=_send_again_deferred)
    def send_again(self, stanzas: OutboundMessages) -> list[Result]:
        """As `send_batch`, but without those that an earlier leader has sent already."""
        taken = [self._is_taken(outgoing) for outgoing in stanzas]
        self._outcomes.all_accepted((o.sender, o.stanza.get("id", "")) for o, is_taken in zip(stanzas, taken, strict=True) if is_taken)
        results = iter(self._begin_with_rooms([o for o, is_taken in zip(stanzas, taken, strict=True) if not is_taken])())
        return [None if is_taken else next(results) for is_taken in taken]

    def _is_taken(self, outgoing: OutboundMessage) -> bool:
        if self._speaking.is_for_room(*outgoing[:3]):
            return self._speaking.has(outgoing)
        return self._router.restored(outgoing.text) or self._mailbox.has(outgoing.stanza, outgoing.text, outgoing.sender, outgoing.to)

    def post(self, stanza: Element, sender: JID, to: JID) -> None:
        """Send a message; an error comes to the sender's streams as from a remote server, and the message stays archived."""
        self._one(OutboundMessage(stanza, sender, to, posted=True, request_id=current_id() or ""))

    def _post_alone(self, stanza: Element, sender: JID, to: JID) -> None:
        refusal = self._send(stanza, sender, to, keep_refused=True)
        if refusal is None:
            return
        try:
            self._router.deliver(refusal, to, sender)
        except Exception as e:  # the message is in the sender's archive
            self._incidents.report(log, "refusal-untold", "%s is not told that a message to %s was refused: %r", sender, to, e)

    @on_leader
    def receive(self, stanza: Element, sender: JID, to: JID) -> Element | None:
        """Deliver a stanza to a hosted address as if it had come over the link; the answer if there is one at once. Raises BadXML."""
        self._counts.handed_in(stanza.tag)
        if to.domain in self._router.beyond.domains:
            self._router.beyond.pass_on(to.domain, (stanza,))
            return None
        return None if self._router.resolve(stanza, sender, to) else self._router.deliver(stanza, sender, to)

    def _send(self, stanza: Element, sender: JID, to: JID, *, keep_refused: bool) -> Element | None:
        if (refusal := self._guard.refuse(stanza, sender, to)) is not None:
            return refusal
        if self._contacts.outgoing(stanza, sender, to):
            return None
        with self._router.afterwards.holding(), self._mailbox.one_text(stanza):
            refusal = self._router.send(stanza)
            if refusal is None or keep_refused:
                self._mailbox.sent(stanza, sender, to)
        return refusal

    def ask(self, iq: Element, wait: Wait) -> tuple[Element, list[Element]]:
        """Send an iq and wait for its answer; with the archive results that belong to it.

        Raises GatewayError: waits-full before anything is sent, and those of `Router.ask`; BadXML.
        """
        sender = parse_jid(iq.get("from", ""))
        self.require_sendable(iq, sender)
        with self._waits.holding(str(sender.bare)):
            self._counts.handed_in("iq")
            refusal = self._guard.refuse(iq, sender, parse_jid(iq.get("to", str(sender.bare))))
            answer, collected = self._router.ask(iq, wait) if refusal is None else (refusal, [])
        if answer.get("type") == "error":
            self._counts.came_back(condition_of(answer).condition)
        return answer, collected

    def send_and_wait(self, stanza: Element, sender: JID, to: JID, wait: Wait) -> tuple[Element | None, str]:
        """As `send`, but wait for the server to refuse or process it; with the state of the outcome.

        Raises GatewayError, waits-full, before anything is sent.
        """
        if self._speaking.is_for_room(stanza, sender, to):
            said = self.say(stanza, sender, to, wait=wait)
            return said.answer(), "reflected" if said.state == REFLECTED else "accepted"
        with self._waits.holding(str(sender.bare)):
            if (refusal := self.send(stanza, sender, to)) is not None:
                return refusal, "refused"
            outcome = self.outcome_within(sender, stanza.get("id", ""), wait)
            return (None, "accepted") if outcome is None else (outcome.refusal, outcome.state)

    def outcome_within(self, sender: JID, identifier: str, wait: Wait) -> Outcome | None:
        """The outcome once it is decided, or when the wait is over. Raises nothing, as the stanza has been sent."""
        try:
            return self.decided(sender, identifier, wait)
        except GatewayError:  # the client has gone, or the leader has
            return None

    def _decided_deferred(self, reply: Reply, sender: JID, identifier: str, wait: Wait) -> End:
        ended = OneShot[bool]()

        def end() -> None:
            """End the wait: the outcome is decided, or the time is over, or the caller has gone."""
            if ended.give(True):
                self._outcomes.unwatch(sender, identifier, end)
                timers.cancel(timer)
                reply(self._outcomes.get(sender, identifier))

        timers, timer = self._remote.timers, Timer(end)
        timers.set(timer, wait.seconds)
        if not self._outcomes.watch(sender, identifier, end):
            end()
        return end

    @on_leader(deferred=_decided_deferred)
    def decided(self, sender: JID, identifier: str, wait: Wait) -> Outcome | None:
        """The outcome once it is decided, or when the wait is over. Raises GatewayError if the leader has gone."""
        return self._outcomes.wait(sender, identifier, wait)

    @on_leader(repeatable=True)
    def outcome(self, sender: JID, identifier: str) -> Outcome | None:
        """The outcome of a stanza that was sent with `send`, if it is remembered."""
        return self._outcomes.get(sender, identifier)


SEND_BATCH = Sending.send_batch.__qualname__
