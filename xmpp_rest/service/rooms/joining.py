"""How an occupant comes into a room: service discovery, presence, self-presence, subject (rooms-anywhere §4)."""

from __future__ import annotations

import logging
import time
from functools import partial
from typing import Any
from xml.etree.ElementTree import Element

from xmpp_rest.errors import RETRY_AFTER, GatewayError
from xmpp_rest.link.account_streams import session_lost
from xmpp_rest.protocol.conditions import StanzaError, stanza_error
from xmpp_rest.protocol.stanza import condition_of
from xmpp_rest.service.rooms.attempt import Attempt, Turns, merged, nicks_to_try
from xmpp_rest.service.rooms.core import RoomCore
from xmpp_rest.service.rooms.discovery import PATIENCE, RoomInfo
from xmpp_rest.service.rooms.losses import FOR_GOOD, reason_of_error
from xmpp_rest.service.rooms.membership import RoomMembership
from xmpp_rest.service.rooms.presences import CREATED, RoomSaid, destruction, entering, leaving, unlocking
from xmpp_rest.service.rooms.refused import RoomRefusal, join_refused, not_answered
from xmpp_rest.service.rooms.values import Reason, RoomPlace, RoomState, Wish
from xmpp_rest.threads.waits import Wait

log = logging.getLogger("xmpp_rest.rooms")

GRACE = 2.0  # seconds after the self-presence in which the subject may come
MANY = 5  # losses soon after coming in; from then on the pauses grow, as nothing is gained by coming in
FIRST = 1.0  # seconds before the first attempt to come in again
LINK_DOWN = StanzaError("wait", "remote-server-timeout", "The connection to the XMPP server is down; try again later")


def link_down(by: str) -> RoomRefusal:
    """The refusal where nothing can be asked, as the link is down."""
    return join_refused(LINK_DOWN, by, code=503, retry_after=RETRY_AFTER)


def session_broke(place: RoomPlace) -> RoomRefusal:
    """The refusal where an account elsewhere has no session any more."""
    error = StanzaError("wait", "remote-server-timeout", session_lost(place.actor).text)
    return join_refused(error, str(place.room), code=503, retry_after=1)


def unreachable(core: RoomCore, place: RoomPlace) -> RoomRefusal:
    """The refusal where nothing can be sent to the room now."""
    return link_down(str(place.room)) if core.addresses.is_hosted(place.occupant) else session_broke(place)


def refusal_of_failure(failure: Element | Exception, by: str) -> RoomRefusal:
    """Why a presence did not go out: what the router answers, or its exception."""
    if not isinstance(failure, Exception):
        error = condition_of(failure)
        return join_refused(error, error.by or failure.get("from") or by)
    row = failure.row if isinstance(failure, GatewayError) else None
    text = failure.text if isinstance(failure, GatewayError) else "The gateway has failed to ask the room; its log says more"
    if row is None or row.status < 500:
        return join_refused(stanza_error(row.condition if row else "internal-server-error", text), by, code=row.status if row else 500)
    return join_refused(StanzaError("wait", row.condition, text), by, code=503, retry_after=RETRY_AFTER)


class Joining:
    """The attempts that are under way. What is called with the lock held says so."""

    def __init__(self, core: RoomCore) -> None:
        self._core = core
        self._turns = Turns(core.settings.joins_at_once)

    def _turns_of(self, membership: RoomMembership) -> tuple[str, str]:
        """Those of the room's service; for each account elsewhere, whose server may never answer, its own."""
        place = membership.place
        return place.room.domain, "" if self._core.addresses.is_hosted(place.occupant) else str(place.actor)

    # -- beginning; all of it needs the lock

    def begin(self, membership: RoomMembership, attempt: Attempt, reason: Reason | None = None) -> None:
        """Come in. There is no other attempt."""
        self._core.cancel(membership.retry)
        membership.retry, membership.attempt = None, attempt
        attempt.is_urgent = bool(membership.waiting)
        self._core.router.occupancy.manage(*membership.place)
        why = reason or membership.reason
        self._core.take(membership, RoomState.JOINING, None if why is None else why._replace(next=None))
        self._turns.ask(self._turns_of(membership), attempt, partial(self._go, membership, attempt))

    def _go(self, membership: RoomMembership, attempt: Attempt) -> None:
        core, seconds = self._core, self._core.settings.join_timeout
        self._after(attempt, seconds, partial(self._late, membership, attempt))
        place = membership.place
        ask = partial(core.discovery.ask, asker=place.occupant, seconds=min(PATIENCE, seconds / 2))
        core.work.call(partial(ask, place.room, partial(self._discovered, membership, attempt)))

    def _after(self, attempt: Attempt, seconds: float, act: Any) -> None:
        attempt.timers.append(self._core.timers.after(seconds, act))

    def _discovered(self, membership: RoomMembership, attempt: Attempt, info: RoomInfo | StanzaError | None) -> None:
        with self._core.lock:
            if membership.attempt is not attempt or attempt.is_asked:
                return
            if isinstance(info, RoomInfo):
                membership.info = info
            is_missing = isinstance(info, StanzaError) and info.condition == "item-not-found"
            if isinstance(info, StanzaError) and is_missing and not attempt.wish.create:  # a typing error must not make a room
                self.failed(membership, attempt, join_refused(info, info.by or str(membership.place.room)))
            elif self._core.addresses.is_hosted(membership.place.occupant):
                self._ask_in(membership, attempt)
            else:  # what the room has said before, to one who has left it by a presence of its own, say, is not of this attempt
                self._core.router.accounts.once_handled(membership.place.occupant, partial(self._ask_first, membership, attempt))

    def _ask_first(self, membership: RoomMembership, attempt: Attempt) -> None:
        with self._core.lock:
            if membership.attempt is attempt and not attempt.is_asked:
                self._ask_in(membership, attempt)

    def _ask_in(self, membership: RoomMembership, attempt: Attempt) -> None:
        wish, attempt.is_asked = attempt.wish, True
        presence = entering(membership.place, attempt.nick, wish.password, wish.history, attempt.id)
        self._core.work.send(presence, partial(self._unsent, membership, attempt, attempt.id))

    def _unsent(self, membership: RoomMembership, attempt: Attempt, identifier: str, failure: Element | Exception) -> None:
        with self._core.lock:
            if membership.attempt is attempt and attempt.id == identifier:
                self.failed(membership, attempt, refusal_of_failure(failure, str(membership.place.room)))

    def _late(self, membership: RoomMembership, attempt: Attempt) -> None:
        with self._core.lock:
            if membership.attempt is not attempt:
                return
            if attempt.is_asked:  # it may still come in, and nobody would know of it
                self._core.work.send(leaving(membership.place, attempt.nick))
            self.failed(membership, attempt, not_answered(str(membership.place.room)))

    # -- what the room says; all of it needs the lock

    def refused(self, membership: RoomMembership, attempt: Attempt, stanza: Element, location: str) -> None:
        """The room does not let it in under this nick."""
        if stanza.get("id", attempt.id) != attempt.id:  # of an earlier attempt
            return
        error = condition_of(stanza)
        if error.condition == "conflict" and attempt.next_nick():
            self._ask_in(membership, attempt)
        else:
            by = error.by or stanza.get("from", "")
            self.failed(membership, attempt, join_refused(error, by, location=location))

    def shown(self, membership: RoomMembership, attempt: Attempt, said: RoomSaid) -> None:
        """The room shows the occupant to itself."""
        is_first, attempt.has_self = not attempt.has_self, True
        if CREATED in said.codes and not attempt.wish.create:
            self._undo(membership, attempt)
            return
        if CREATED in said.codes and is_first:
            attempt.is_locked = True
            self._core.work.call(partial(self._unlock, membership, attempt))
        if is_first:
            self._after(attempt, GRACE, partial(self._without_subject, membership, attempt))
        self.end_if_complete(membership, attempt)

    def _undo(self, membership: RoomMembership, attempt: Attempt) -> None:
        """Destroy the room, which coming in has made."""
        place = membership.place
        self._core.work.send(destruction(place))
        self._core.work.send(leaving(place, membership.own_nick))
        self.failed(membership, attempt, join_refused(stanza_error("item-not-found"), str(place.room)))

    def _unlock(self, membership: RoomMembership, attempt: Attempt) -> None:
        seconds = self._core.settings.join_timeout
        reply = partial(self._unlocked, membership, attempt)
        try:
            self._core.router.begin_ask(reply, unlocking(membership.place), Wait(seconds))
        except Exception as e:
            reply(e)

    def _unlocked(self, membership: RoomMembership, attempt: Attempt, answer: Any) -> None:
        """`answer`: what `Router.ask` returns, or its exception."""
        with self._core.lock:
            if membership.attempt is not attempt:
                return
            if not isinstance(answer, Exception) and answer[0].get("type") == "result":
                core, place = self._core, membership.place
                core.discovery.forget(place.room, place.occupant)
                ask = partial(core.discovery.ask, asker=place.occupant, seconds=PATIENCE)
                core.work.call(partial(ask, place.room, partial(self._made, membership, attempt)))
                return
            self._core.work.send(leaving(membership.place, membership.own_nick))
            by = str(membership.place.room)
            refusal = not_answered(by) if isinstance(answer, Exception) else join_refused(condition_of(answer[0]), by)
            self.failed(membership, attempt, refusal)

    def _made(self, membership: RoomMembership, attempt: Attempt, info: RoomInfo | StanzaError | None) -> None:
        """The room, which coming in has made, is open to others."""
        with self._core.lock:
            if isinstance(info, RoomInfo):
                membership.info = info
            attempt.is_locked = False
            if membership.attempt is attempt:
                self.end_if_complete(membership, attempt)

    def _without_subject(self, membership: RoomMembership, attempt: Attempt) -> None:
        with self._core.lock:
            attempt.has_subject = True
            if membership.attempt is attempt:
                self.end_if_complete(membership, attempt)

    def end_if_complete(self, membership: RoomMembership, attempt: Attempt) -> None:
        """It is in, if the room has told all."""
        if not attempt.is_complete:
            return
        core = self._core
        self._end(membership, attempt)
        membership.is_established = membership.is_checked = True
        membership.wish = attempt.kept._replace(history=0, create=False)
        if attempt.kept.nick:
            membership.nick = attempt.kept.nick
        if membership.losses < MANY:
            membership.backoff.reset()
        membership.silences.reset()
        membership.heard = membership.spoken = time.monotonic()
        core.take(membership, RoomState.IN)
        core.keep(membership)
        core.answer_once_kept([*membership.settle(), *membership.checked()], membership)

    def failed(self, membership: RoomMembership, attempt: Attempt, refusal: RoomRefusal, why: Reason | None = None) -> None:
        """It has not come in. `why`: if the room has said more than the refusal does."""
        core, error = self._core, refusal.error
        self._end(membership, attempt)
        if error.condition in ("item-not-found", "gone"):
            core.discovery.forget(membership.place.room, membership.place.occupant)
        waiting = [*membership.settle(), *membership.checked()]
        reason = why or reason_of_error(error, rejoin=error.condition not in FOR_GOOD)
        if not membership.is_established:
            core.take(membership, RoomState.OUT, reason._replace(rejoin=False))
            core.drop(membership)
        elif attempt.was_out or not reason.rejoin:
            core.take(membership, RoomState.OUT, reason._replace(rejoin=False))
        else:
            self.later(membership, reason)
        core.answer(waiting, refusal)

    def call_off(self, membership: RoomMembership, attempt: Attempt, refusal: RoomRefusal) -> None:
        """Nobody wants it any more."""
        self._end(membership, attempt)
        self._core.answer([*membership.settle(), *membership.checked()], refusal)

    def _end(self, membership: RoomMembership, attempt: Attempt) -> None:
        self._core.cancel(*attempt.timers)
        membership.attempt = None
        self._turns.end(self._turns_of(membership), attempt)

    # -- coming in again

    def later(self, membership: RoomMembership, reason: Reason, *, slowly: bool = False) -> None:
        """Come in again after a while, or once the link is up. Needs the lock."""
        longest = self._core.settings.retry_max
        delay = membership.backoff.next(FIRST if not slowly else longest, longest)
        self._core.take(membership, RoomState.JOINING, reason._replace(rejoin=True, next=time.time() + delay))
        self._core.cancel(membership.retry)
        membership.retry = self._core.timers.after(delay, partial(self._again, membership))

    def _again(self, membership: RoomMembership) -> None:
        with self._core.lock:
            membership.retry = None
            self.again_now(membership)

    def again_now(self, membership: RoomMembership) -> None:
        """Come in again, if it is due, and the link is up: else that is done once it is. Needs the lock."""
        is_due = self._core.is_current(membership) and membership.state is RoomState.JOINING and membership.attempt is None
        if is_due and self._core.can_reach(membership.place):
            self.begin(membership, again(membership))


def again(membership: RoomMembership, *, was_out: bool = False) -> Attempt:
    """An attempt by the wish that counts."""
    wish = membership.wish
    return Attempt(wish, wish, nicks_to_try(membership.nick, wish, again=True), was_out=was_out)


def asked_for(membership: RoomMembership, wish: Wish, *, is_message: bool) -> Attempt:
    """An attempt by the wish of a request, or of a message, over the one that counts so far. Needs the lock."""
    kept = membership.wish if is_message else merged(membership.wish, wish)
    goes = kept._replace(history=wish.history, create=wish.create, password=kept.password if wish.password is None else wish.password)
    nicks = nicks_to_try(wish.nick or membership.nick, wish if wish.nick else kept, again=not (wish.nick and wish.is_named))
    return Attempt(goes, kept, nicks, was_out=membership.state is RoomState.OUT)
