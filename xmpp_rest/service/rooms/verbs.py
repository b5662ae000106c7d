"""What occupants do in their rooms beside speaking: subject, invitations, kicks and bans (rooms-anywhere §6).

Each waits for the room's answer, in any process; None: the room has done it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol, TypeGuard
from xml.etree.ElementTree import Element

from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.namespaces import CONFERENCE, MUC_ADMIN, MUC_USER, PING
from xmpp_rest.protocol.stanza import child, condition_of, make, new_id
from xmpp_rest.request_notes import current_id
from xmpp_rest.service.messages.batch import OutboundMessage, Result
from xmpp_rest.service.messages.outcomes import Outcome
from xmpp_rest.service.rooms.refused import MESSAGE_SENTENCES, RoomRefusal, RoomRefused, message_refused, not_answered
from xmpp_rest.service.rooms.spoken_message import subject_in
from xmpp_rest.service.rooms.values import RoomOccupant, RoomState, RoomView, Subject
from xmpp_rest.service.rooms.watching import STILL_IN
from xmpp_rest.threads.waits import Wait

NOT_IN = "Not in the room; PUT /rest/rooms/{room} joins it"
NOBODY = "Nobody in the room has this nick"
NOT_REACHED = "Nobody at this address takes the invitation"
HIDDEN = "The room hides the addresses of its occupants; name the address itself"
_UNPROCESSED = frozenset(("accepted", "written"))  # states of an outcome
_DONE = frozenset(("reflected", "confirmed", "delivered"))  # those of a subject: a room of the gateway's own has confirmed it


class KnownMemberships(Protocol):
    """Who is in which room, for any process."""

    def get(self, actor: JID, room: JID) -> RoomView | None: ...


class VerbSender(Protocol):
    """Sends for the accounts of one kind; `Sending` says more of each method."""

    def send_and_wait(self, stanza: Element, sender: JID, to: JID, wait: Wait) -> tuple[Element | None, str]: ...
    def send_many(self, stanzas: Sequence[OutboundMessage], nick: str = "") -> list[Result]: ...
    def ask(self, iq: Element, wait: Wait) -> tuple[Element, list[Element]]: ...
    def outcome_within(self, sender: JID, identifier: str, wait: Wait) -> Outcome | None: ...


class RoomVerbs:
    """Asks rooms in the name of their occupants. Raises GatewayError where there is no way to the room."""

    def __init__(self, memberships: KnownMemberships, sending: VerbSender) -> None:
        self._memberships = memberships
        self._sending = sending

    def set_subject(self, actor: JID, room: JID, text: str, wait: Wait) -> RoomRefusal | None:
        """Set the subject of a room, or take it away."""
        view = self._memberships.get(actor, room)
        if not _is_in(view):
            return _not_in(room)
        stanza, sender, to = _message(view, room, child("subject", text), type_="groupchat")[:3]
        subject = subject_in(stanza) or ""
        if view.subject == Subject(subject, view.nick):  # Prosody does not show it once more
            gone = self._ping(view, room, wait)
            return None if gone is None or gone.error.condition in STILL_IN else gone
        try:
            refusal, state = self._sending.send_and_wait(stanza, sender, to, wait)
        except RoomRefused as e:
            return e.refusal
        if refusal is not None:
            return _refusal_in(refusal, view.room)
        if state in _DONE or _shows(self._memberships.get(actor, room), subject):
            return None
        return not_answered(view.room)

    def kick(self, actor: JID, room: JID, nick: str, reason: str, wait: Wait) -> RoomRefusal | None:
        """Take the role of an occupant, who is out of the room by that."""
        view = self._memberships.get(actor, room)
        if not _is_in(view):
            return _not_in(room)
        if _found(view, nick) is None and _lists_all(view):
            return _refusal("item-not-found", NOBODY)
        return self._change(view, room, reason, wait, nick=nick, role="none")

    def ban(self, actor: JID, room: JID, jid: JID, reason: str, wait: Wait) -> RoomRefusal | None:
        """Make a person an outcast of the room."""
        view = self._memberships.get(actor, room)
        if not _is_in(view):
            return _not_in(room)
        return self._change(view, room, reason, wait, jid=str(jid), affiliation="outcast")

    def ban_nick(self, actor: JID, room: JID, nick: str, reason: str, wait: Wait) -> RoomRefusal | None:
        """Make an occupant an outcast, where the room shows the address."""
        view = self._memberships.get(actor, room)
        if not _is_in(view):
            return _not_in(room)
        occupant = _found(view, nick)
        if occupant is None:
            return _refusal("item-not-found", NOBODY)
        if not occupant.jid:
            return _refusal("not-acceptable", HIDDEN)
        return self._change(view, room, reason, wait, jid=occupant.jid.partition("/")[0], affiliation="outcast")

    def _change(self, view: RoomView, room: JID, reason: str, wait: Wait, **item: str) -> RoomRefusal | None:
        """Change a role or an affiliation (XEP-0045 §8.2, §9.1)."""
        element = child(f"{{{MUC_ADMIN}}}item", **item)
        if reason:
            element.append(child(f"{{{MUC_ADMIN}}}reason", reason))
        return self._ask(view, str(room), "set", make(f"{{{MUC_ADMIN}}}query", element), wait)

    def _ask(self, view: RoomView, to: str, kind: str, payload: Element, wait: Wait) -> RoomRefusal | None:
        """Why an iq of the occupant is refused, or not answered."""
        iq = make("iq", payload, type_=kind, from_=view.occupant, to_=to, id_=new_id())
        try:
            answer, _ = self._sending.ask(iq, wait)
        except GatewayError as e:
            if e.name != "iq-timeout":
                raise
            return not_answered(view.room)
        return _refusal_in(answer, view.room) if answer.get("type") == "error" else None

    def _ping(self, view: RoomView, room: JID, wait: Wait) -> RoomRefusal | None:
        """Ask the room whether the occupant is in (XEP-0410)."""
        return self._ask(view, str(room._replace(resource=view.nick)), "get", child(f"{{{PING}}}ping"), wait)

    # -- invitations

    def invite(self, actor: JID, room: JID, people: Sequence[JID], reason: str, wait: Wait, *, direct: bool) -> RoomRefusal | None:
        """Invite people through the room (XEP-0045 §7.8.2), or by a message of the actor's to each (XEP-0249)."""
        view = self._memberships.get(actor, room)
        if not _is_in(view):
            return _not_in(room)
        make_one = _direct if direct else _mediated
        messages = [make_one(view, room, person, reason) for person in people]
        deadline = time.monotonic() + wait.seconds
        for person, result in zip(people, self._sending.send_many(messages), strict=True):
            if isinstance(result, Exception):
                raise result
            if result is not None:
                return _about(person, people, _refusal_in(result, view.room), direct=direct)
        if not direct and (unanswered := self._checked(view, room, wait)) is not None:
            return unanswered
        for person, outgoing in zip(people, messages, strict=True):
            left = Wait(max(0.0, deadline - time.monotonic()), wait.gone)
            if (refusal := self._outcome(outgoing, left)) is not None:
                return _about(person, people, refusal, direct=direct)
        return None

    def _checked(self, view: RoomView, room: JID, wait: Wait) -> RoomRefusal | None:
        """Wait for the room to answer what comes behind the invitations: whatever it has against one of these came before.

        An error is an answer as well.
        """
        refusal = self._ping(view, room, wait)
        return refusal if refusal is not None and refusal.error.condition == "remote-server-timeout" else None

    def _outcome(self, outgoing: OutboundMessage, wait: Wait) -> RoomRefusal | None:
        """Why a message was refused, or is not known to have been processed."""
        outcome = self._sending.outcome_within(outgoing.sender, outgoing.stanza.get("id", ""), wait)
        if outcome is not None and outcome.refusal is not None:
            return _refusal_in(outcome.refusal, str(outgoing.to))
        return not_answered(str(outgoing.to)) if outcome is None or outcome.state in _UNPROCESSED else None


def _is_in(view: RoomView | None) -> TypeGuard[RoomView]:
    return view is not None and view.state == RoomState.IN.value


def _shows(view: RoomView | None, subject: str) -> bool:
    """Whether the room shows this as what the occupant has set. Of two that set the same at once Prosody shows one."""
    return _is_in(view) and (view.subject or Subject("", view.nick)) == Subject(subject, view.nick)


def _found(view: RoomView, nick: str) -> RoomOccupant | None:
    return next((occupant for occupant in view.occupants if occupant.nick == nick), None)


def _lists_all(view: RoomView) -> bool:
    return view.occupants_total <= len(view.occupants)


def _not_in(room: JID) -> RoomRefusal:
    return _refusal("not-acceptable", NOT_IN.format(room=room))


def _refusal(condition: str, text: str) -> RoomRefusal:
    """A refusal of the gateway's own."""
    return message_refused(stanza_error(condition, text), "")


def _refusal_in(answer: Element, room: str) -> RoomRefusal:
    """The refusal in a stanza of type error."""
    return message_refused(condition_of(answer), answer.get("from") or room)


def _about(person: JID, people: Sequence[JID], refusal: RoomRefusal, *, direct: bool) -> RoomRefusal:
    """The refusal; where several are invited, with whom it is about. A sentence about rooms does not fit a person."""
    text = refusal.error.text
    if direct and text == MESSAGE_SENTENCES.get(refusal.error.condition):
        text = NOT_REACHED
    return refusal._replace(error=refusal.error._replace(text=text if len(people) == 1 else f"{person}: {text}"))


def _message(view: RoomView, to: JID, *payload: Element, type_: str | None = None) -> OutboundMessage:
    """A message of the occupant."""
    stanza = make("message", *payload, type_=type_, from_=view.occupant, to_=str(to), id_=new_id())
    return OutboundMessage(stanza, view.place.occupant, to, request_id=current_id() or "")


def _mediated(view: RoomView, room: JID, person: JID, reason: str) -> OutboundMessage:
    """An invitation for the room to pass on."""
    invite = child(f"{{{MUC_USER}}}invite", to=str(person))
    if reason:
        invite.append(child(f"{{{MUC_USER}}}reason", reason))
    return _message(view, room, make(f"{{{MUC_USER}}}x", invite))


def _direct(view: RoomView, room: JID, person: JID, reason: str) -> OutboundMessage:
    """An invitation by the actor. The room's password is not in it: that is for who knows it to tell."""
    given = {"jid": str(room)} | ({"reason": reason} if reason else {})
    actor = view.place.actor
    stanza = make("message", child(f"{{{CONFERENCE}}}x", **given), from_=str(actor), to_=str(person), id_=new_id())
    return OutboundMessage(stanza, actor, person, request_id=current_id() or "")
