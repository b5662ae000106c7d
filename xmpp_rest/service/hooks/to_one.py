"""Sends a message of a hook to one recipient."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from xmpp_rest.link.router import Router
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.stanza import child, condition_of, make
from xmpp_rest.request_notes import on_behalf_of
from xmpp_rest.service.contacts.privacy_guard import Guard
from xmpp_rest.service.hooks.in_order import Done, WorkInOrder
from xmpp_rest.service.hooks.message import SENT, HookMessage, HookRecipient, Verdict, error_of_failure
from xmpp_rest.service.hooks.verdicts import OneVerdict
from xmpp_rest.service.messages.batch import OutboundMessage
from xmpp_rest.service.messages.outcomes import Outcomes
from xmpp_rest.service.messages.send import Sending
from xmpp_rest.threads.timers import Timer

FULL = StanzaError("wait", "resource-constraint", "Too many messages of this hook wait for this recipient")


class ToOne:
    """Messages to one recipient stay in order, and those to several do not hold each other up. Runs in the leader."""

    def __init__(self, router: Router, sending: Sending, outcomes: Outcomes, guard: Guard, remote: Remote) -> None:
        self._router = router
        self._sending = sending
        self._outcomes = outcomes
        self._guard = guard
        self._remote = remote
        self._in_order = WorkInOrder(remote.pool.submit)

    def send(self, message: HookMessage, recipient: HookRecipient, seconds: float, verdict: OneVerdict) -> None:
        """Send it, after what was to be sent to this recipient before; `seconds`: for which a refusal is waited for."""

        def job(done: Done) -> None:
            try:
                with on_behalf_of(message.request_id):
                    self._chat(message, recipient, seconds, verdict)
            except Exception as e:
                verdict.give(Verdict(error=error_of_failure(e)))
                raise
            finally:
                done()

        if not self._in_order.put((message.speaks_as, recipient.jid), job):
            verdict.give(Verdict(error=FULL))

    def _chat(self, message: HookMessage, recipient: HookRecipient, seconds: float, verdict: OneVerdict) -> None:
        sender, to = message.chat_actor, recipient.jid
        stanza = make("message", child("body", message.text), type_="chat", id_=recipient.id, from_=str(sender), to_=str(to))
        if (error := self._refused(message.owner, stanza, sender, to)) is not None:
            verdict.give(Verdict(error=error))
            return
        (result,) = self._sending.send_many([OutboundMessage(stanza, sender, to)])
        if result is not None:
            error = error_of_failure(result) if isinstance(result, Exception) else condition_of(result)
            verdict.give(Verdict(error=error))
        elif to.domain in self._router.domains:
            verdict.give(Verdict())
        else:
            self._watch(sender, recipient, SENT, seconds, verdict)

    def _refused(self, owner: JID, stanza: Element, sender: JID, to: JID) -> StanzaError | None:
        """Why the lists of the owner, who may not be the sender, deny this."""
        if owner == sender.bare:
            return None
        refusal = self._guard.refuse(stanza, owner, to)
        return None if refusal is None else condition_of(refusal)

    def _watch(self, sender: JID, recipient: HookRecipient, how: str, seconds: float, verdict: OneVerdict) -> None:
        """Give the verdict once the message is refused, or when the time is over.

        The server that has the link refuses what is to its own accounts before it confirms; others refuse later.
        """

        def decided() -> None:
            timers.cancel(timer)
            self._outcomes.unwatch(sender, identifier, decided)
            outcome = self._outcomes.get(sender, identifier)
            refusal = outcome.refusal if outcome is not None else None
            verdict.give(Verdict(how, None if refusal is None else condition_of(refusal)))

        timers, identifier = self._remote.timers, recipient.id
        timer = Timer(decided)
        timers.set(timer, seconds)
        if not self._outcomes.watch(sender, identifier, decided, last=not _is_near(sender, recipient.jid)):
            decided()


def _is_near(sender: JID, to: JID) -> bool:
    """Whether the recipient is of the server that has the link: hooks.example.net is a component of example.net."""
    return sender.domain.endswith(f".{to.domain}")
