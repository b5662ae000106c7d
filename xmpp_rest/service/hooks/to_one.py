"""Sends a message of a hook to one recipient: a person, or a room."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from xml.etree.ElementTree import Element

from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import Router
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import STANZA_ID
from xmpp_rest.protocol.stanza import child, condition_of, make
from xmpp_rest.request_notes import on_behalf_of
from xmpp_rest.service.contacts.privacy_guard import Guard
from xmpp_rest.service.hooks.deadline import VerdictDeadline
from xmpp_rest.service.hooks.in_order import Done, WorkInOrder
from xmpp_rest.service.hooks.message import HookMessage, HookRecipient, Verdict, error_of_failure
from xmpp_rest.service.hooks.room_sending import RoomSending
from xmpp_rest.service.hooks.rooms import HookRooms
from xmpp_rest.service.hooks.targets import TargetKind, Targets
from xmpp_rest.service.hooks.updates import Updates
from xmpp_rest.service.hooks.verdicts import OneVerdict
from xmpp_rest.service.messages.batch import OutboundMessage
from xmpp_rest.service.messages.outcomes import Outcomes
from xmpp_rest.service.messages.send import Sending

log = logging.getLogger("xmpp_rest.hooks")

FULL = StanzaError("wait", "resource-constraint", "Too many messages of this hook wait for this recipient")
NOBODY = StanzaError("cancel", "service-unavailable", "This address is for the messages of hooks; nobody reads what is written to it")
NO_PRESENCE = frozenset(("bad-request", "feature-not-implemented"))
"""What services of rooms say that are not entered by presence (XEP Multi-User Chat Light §7.2)."""


class OneSending:
    """One message to one recipient, and who waits for it. `seconds`: for which a refusal is waited for."""

    def __init__(self, message: HookMessage, recipient: HookRecipient, seconds: float, verdict: OneVerdict, done: Done) -> None:
        self.message = message
        self.recipient = recipient
        self.seconds = seconds
        self.verdict = verdict
        self.done = done
        """To be called when the next message to the recipient may follow."""
        self.shown: Element | None = None
        """As the room has shown it."""

    def is_shown(self, stanza: Element) -> None:
        """The room has shown it."""
        self.shown = stanza

    def fail(self, error: StanzaError) -> None:
        """It is not sent."""
        self.verdict.give(Verdict(error=error))
        self.done()


class ToOne:
    """Messages to one recipient stay in order, and those to several do not hold each other up. Runs in the leader."""

    def __init__(
        self,
        router: Router,
        sending: Sending,
        outcomes: Outcomes,
        guard: Guard,
        targets: Targets,
        rooms: HookRooms,
        updates: Updates,
        is_nobody: Callable[[JID], bool],
        remote: Remote,
        incidents: Incidents,
    ) -> None:
        """`is_nobody`: tells addresses to which nobody reads what is written. Raises StorageError."""
        self._router = router
        self._sending = sending
        self._outcomes = outcomes
        self._guard = guard
        self._targets = targets
        self._rooms = rooms
        self._updates = updates
        self._is_nobody = is_nobody
        self._remote = remote
        self._incidents = incidents
        self._in_order = WorkInOrder(remote.pool.submit)

    def send(self, message: HookMessage, recipient: HookRecipient, seconds: float, verdict: OneVerdict) -> None:
        """Send it, after what was to be sent to this recipient before; `seconds`: for which a refusal is waited for."""

        def job(done: Done) -> None:
            one = OneSending(message, recipient, seconds, verdict, done)
            self._guarded(one, lambda: self._begin(one))

        if not self._in_order.put((message.speaks_as, recipient.jid), job):
            verdict.give(Verdict(error=FULL))

    def _guarded(self, one: OneSending, step: Callable[[], None]) -> None:
        """Do one step. If it fails, the message is not sent, and the next one follows."""
        if one.verdict.is_given:  # nobody waits for it any more, and was told so
            one.done()
            return
        try:
            with on_behalf_of(one.message.request_id):
                step()
        except Exception as e:
            self._incidents.report(log, "hook-unsent", "%s gets no message of %s: %r", one.recipient.jid, one.message.hook, e, trace=True)
            one.fail(error_of_failure(e))

    def _later(self, one: OneSending, step: Callable[[], None]) -> None:
        self._remote.pool.submit(lambda: self._guarded(one, step))

    def _begin(self, one: OneSending) -> None:
        jid, room = one.recipient.jid, one.recipient.room
        if (error := self._refused(one, jid)) is not None:
            one.fail(error)
            return
        self._targets.find(jid, room, one.message.chat_actor, lambda kind: self._later(one, lambda: self._send(one, kind)))

    def _send(self, one: OneSending, kind: TargetKind) -> None:
        message, to = one.message, one.recipient.jid
        if kind is TargetKind.PERSON:
            self._send_plain(one, "chat", message.chat_actor, str(message.chat_actor))
        elif kind is TargetKind.ROOM:
            self._rooms.enter(message.room_actor, to, message.nick, lambda error: self._later(one, lambda: self._entered(one, error)))
        else:
            self._send_plain(one, "groupchat", message.room_actor, f"{to}/{message.speaks_as}")

    def _refused(self, one: OneSending, to: JID) -> StanzaError | None:
        """Why nobody reads it, or the lists of the sender or the owner deny it: then the recipient is not even asked what it is."""
        if self._is_nobody(to):
            return NOBODY
        stanza = _message(one, "chat", one.message.chat_actor, [child("body", one.message.text)])
        for account in dict.fromkeys((one.message.speaks_as, one.message.owner)):
            if (refusal := self._guard.refuse(stanza, account, to)) is not None:
                return condition_of(refusal)
        return None

    # -- rooms

    def _entered(self, one: OneSending, error: StanzaError | None) -> None:
        message, to = one.message, one.recipient.jid
        if error is None:
            self._say(one, self._rooms.nick(message.room_actor, to))
        elif error.condition in NO_PRESENCE:  # perhaps nobody enters it
            self._targets.ask(to, message.chat_actor, lambda kind: self._later(one, lambda: self._asked(one, kind, error)))
        else:
            one.fail(error)

    def _asked(self, one: OneSending, kind: TargetKind, error: StanzaError) -> None:
        if kind is TargetKind.LIGHT_ROOM:
            self._send(one, kind)
        else:
            one.fail(error)

    def _say(self, one: OneSending, nick: str) -> None:
        """Say it in a room, under this nick."""
        message, recipient = one.message, one.recipient
        wording = self._updates.word(message, recipient, f"{recipient.jid}/{nick}")
        outgoing = _outgoing(one, "groupchat", message.room_actor, wording.payload)

        def shown(stanza: Element) -> None:
            one.is_shown(stanza)
            self._updates.shown(message, recipient, stanza)

        if self._rooms.say(RoomSending(outgoing, message.nick, self._deadline(one, wording.how, shown))):
            before = one.shown
            self._updates.sent(message, recipient, wording, before)
            if one.shown is not None and before is None:  # meanwhile
                self._updates.shown(message, recipient, one.shown)
        one.done()

    # -- persons, and rooms that nobody enters

    def _send_plain(self, one: OneSending, kind: str, sender: JID, author: str) -> None:
        wording = self._updates.word(one.message, one.recipient, author)
        outgoing = _outgoing(one, kind, sender, wording.payload)
        result = self._sending.send_without_entering(outgoing)
        if result is not None:
            error = error_of_failure(result) if isinstance(result, Exception) else condition_of(result)
            one.fail(error)
            return
        self._updates.sent(one.message, one.recipient, wording, None)
        if self._router.is_own(outgoing.to.domain):
            one.verdict.give(Verdict(wording.how))
        else:
            self._watch(one, sender, wording.how)
        one.done()

    def _watch(self, one: OneSending, sender: JID, how: str) -> None:
        """Give the verdict once the message is refused or delivered, or when the time is over.

        That the server which has the link has processed it says nothing: the recipient's server may be another one, and refuse it later.
        """

        def decided() -> None:
            self._outcomes.unwatch(sender, identifier, decided)
            outcome = self._outcomes.get(sender, identifier)
            refusal = outcome.refusal if outcome is not None else None
            one.verdict.give(Verdict(how, None if refusal is None else condition_of(refusal)))
            deadline.end()

        identifier = one.recipient.id
        deadline = self._deadline(one, how)
        deadline.begin(decided)
        if not self._outcomes.watch(sender, identifier, decided, last=True):
            decided()

    def _deadline(self, one: OneSending, how: str, on_shown: Callable[[Element], object] = lambda _: None) -> VerdictDeadline:
        return VerdictDeadline(self._remote.timers, one.seconds, one.verdict, how, on_shown)


def _outgoing(one: OneSending, kind: str, sender: JID, payload: Sequence[Element]) -> OutboundMessage:
    return OutboundMessage(_message(one, kind, sender, payload), sender, one.recipient.jid, request_id=one.message.request_id)


def _message(one: OneSending, kind: str, sender: JID, payload: Sequence[Element]) -> Element:
    origin = [child(f"{{{STANZA_ID}}}origin-id", id=one.recipient.id)] if kind == "groupchat" else []
    return make("message", *payload, *origin, type_=kind, id_=one.recipient.id, from_=str(sender), to_=str(one.recipient.jid))
