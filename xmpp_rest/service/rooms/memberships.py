"""The memberships of hosted actors in rooms on other servers (rooms-anywhere §4, §7). They are the leader's."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from xml.etree.ElementTree import Element

from xmpp_rest.config.room_tables import RoomsAnywhereSettings
from xmpp_rest.gateway.events import Signal
from xmpp_rest.protocol.conditions import StanzaError, stanza_error
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.rooms.attempt import CALLBACK, HOOK, Attempt, OnEntered, default_nick, merged, nicks_to_try, prepared_nick
from xmpp_rest.service.rooms.bounds import JoinBounds
from xmpp_rest.service.rooms.core import RoomCore
from xmpp_rest.service.rooms.joining import Joining, again, asked_for, unreachable
from xmpp_rest.service.rooms.left_memberships import LeftMemberships
from xmpp_rest.service.rooms.losses import reason_of_error, refusal_of
from xmpp_rest.service.rooms.membership import RoomMembership
from xmpp_rest.service.rooms.news import RoomNews
from xmpp_rest.service.rooms.occupant_list import OccupantList
from xmpp_rest.service.rooms.refused import RoomRefusal, join_refused
from xmpp_rest.service.rooms.renaming import Renaming
from xmpp_rest.service.rooms.session_changes import SessionChanges
from xmpp_rest.service.rooms.values import Reason, RoomPlace, RoomState, RoomView, Wish
from xmpp_rest.service.rooms.watching import Watching

log = logging.getLogger("xmpp_rest.rooms")

PAUSE = 60.0  # seconds after being put out, or refused for good, before a message tries to come in again


class Memberships:
    """What speaking, hearing and the API use, in the leader. Nothing here waits; those who are told are told by another thread."""

    def __init__(self, core: RoomCore) -> None:
        self._core = core
        self._joining = Joining(core)
        self._watching = Watching(core, self._joining)
        self._renaming = Renaming(core)
        self._news = RoomNews(core, self._joining, self._watching, self._renaming)
        self._bounds = JoinBounds(core, self._watching)
        self.sessions = SessionChanges(
            core, self._joining, self._watching, lambda gone, place: self.want(place, gone.wish, since=gone.since, own_nick=gone.own_nick)
        )
        self.left = LeftMemberships(core, self._joining, self._new)

    @property
    def changed(self) -> Signal[RoomView]:
        """A membership has another state or wish: its view up to `by`, in order."""
        return self._core.changed

    def configure(self, settings: RoomsAnywhereSettings) -> None:
        """Work by these settings from now on."""
        with self._core.lock:
            self._core.configure(settings)
            for membership in self._core.table.values():
                self._watching.arm(membership)

    def place(self, actor: JID, room: JID) -> RoomPlace:
        """The place of the managed occupant of an actor."""
        return RoomPlace(self._core.addresses.of(actor), room.bare)

    # -- what is known

    def view(self, place: RoomPlace) -> RoomView | None:
        """All that is known of it; None: there is none."""
        with self._core.lock:
            found = self._core.table.get(place)
            return None if found is None else found.view()

    def state(self, place: RoomPlace) -> RoomState | None:
        """Its state; None: there is none."""
        found = self._core.table.get(place)
        return None if found is None else found.state

    def own_nick(self, place: RoomPlace) -> str:
        """How the room calls the occupant; "" for a room in which it is not."""
        found = self._core.table.get(place)
        return "" if found is None else found.own_nick

    def holds(self, place: RoomPlace) -> bool:
        """Whether there is one, whatever its state."""
        return place in self._core.table

    def of(self, actor: JID) -> list[RoomView]:
        """Those of the managed occupant of an actor, by room."""
        occupant = self.place(actor, actor).occupant
        with self._core.lock:
            found = [m.summary() for m in self._core.of_actor(actor.bare) if m.place.occupant == occupant]
        return sorted(found, key=lambda view: view.room)

    def counts(self) -> dict[str, int]:
        """How many have which state."""
        with self._core.lock:
            states = [membership.state.value for membership in self._core.table.values()]
        return {state.value: states.count(state.value) for state in (RoomState.IN, RoomState.JOINING, RoomState.OUT)}

    # -- coming in

    def enter(self, place: RoomPlace, wish: Wish, then: OnEntered) -> None:
        """Come in, unless it is in. Two that want the same wait for one join."""
        nick = prepared_nick(place.room, wish.nick)
        if isinstance(nick, RoomRefusal):
            self._core.answer([then], nick)
            return
        with self._core.lock:
            found = self._core.table.get(place)
            if found is None:
                self._enter_new(place, wish._replace(nick=nick), then)
            else:
                self._enter_again(found, wish._replace(nick=nick), then)

    def _enter_new(self, place: RoomPlace, wish: Wish, then: OnEntered) -> None:
        if (refusal := self._not_now(place, wish)) is not None:
            self._core.answer([then], refusal)
            return
        membership = self._new(place, wish)
        membership.waiting.append(then)
        self._core.tell(membership)
        self._joining.begin(membership, Attempt(wish, wish, nicks_to_try(membership.nick, wish, again=False), was_out=False))

    def _not_now(self, place: RoomPlace, wish: Wish) -> RoomRefusal | None:
        if not self._core.can_reach(place):
            return unreachable(self._core, place)
        return self._bounds.refusal(place, wish, is_new=place not in self._core.table)

    def _new(self, place: RoomPlace, wish: Wish) -> RoomMembership:
        nick = wish.nick or default_nick(place.actor, self._core.settings.nick)
        membership = RoomMembership(place, wish, nick, OccupantList(self._core.settings.occupants, self._core.occupant_budget(place)))
        self._core.add(membership)
        return membership

    def _enter_again(self, found: RoomMembership, wish: Wish, then: OnEntered) -> None:
        """Needs the lock."""
        is_message = wish.by == "demand" or wish.by.startswith(CALLBACK)
        if found.state is RoomState.IN:
            self._enter_in(found, wish, then, is_message=is_message)
            return
        if (attempt := found.attempt) is not None:
            found.waiting.append(then)
            attempt.is_urgent = True
            if not is_message:
                attempt.kept = merged(attempt.kept, wish)
            return
        is_out = found.state is RoomState.OUT
        if is_out and is_message and found.reason is not None and time.monotonic() - found.changed_at < PAUSE:
            self._core.answer([then], refusal_of(found.place, found.reason))
            return
        if (refusal := self._not_now(found.place, wish)) is not None:
            self._core.answer([then], refusal)
            return
        found.waiting.append(then)
        self._joining.begin(found, asked_for(found, wish, is_message=is_message))

    def _enter_in(self, found: RoomMembership, wish: Wish, then: OnEntered, *, is_message: bool) -> None:
        if wish.by.startswith(HOOK) and wish.nick != found.nick:  # of another nick now: it comes in again
            self._watching.leave(found, "")
            self._enter_new(found.place, wish, then)
            return
        if is_message or wish.by.startswith(HOOK):
            self._core.answer([then], None)
            return
        before, found.wish = found.wish, merged(found.wish, wish._replace(nick=""))
        if before != found.wish:
            self._core.keep(found)
            self._core.tell(found)
            self._watching.arm(found)
        if wish.nick and wish.nick != found.own_nick:
            self._renaming.begin(found, wish.nick, then)
        else:
            self._core.answer_once_kept([then], found)

    def withdraw(self, place: RoomPlace, then: OnEntered) -> None:
        """Forget who waits for a join, which is called off if nobody else does, and nothing was kept of it."""
        with self._core.lock:
            found = self._core.table.get(place)
            if found is not None and then in found.waiting:
                found.waiting.remove(then)
                if not found.waiting and not found.is_established:
                    self._watching.leave(found, "")

    def want(self, place: RoomPlace, wish: Wish, *, since: float = 0.0, own_nick: str = "", out: Reason | None = None) -> None:
        """Have it as it was kept, or is configured, and come in as soon as the link is up, unless it is `out` for good."""
        with self._core.lock:
            found = self._core.table.get(place)
            if found is None:
                found = self._new(place, wish)
                found.since = since or found.since
                found.own_nick = own_nick or found.own_nick
            found.wish, found.nick, found.is_established = wish, wish.nick or found.nick, True
            self._core.router.occupancy.manage(*place)
            self._core.keep(found)
            if out is not None:
                self._core.take(found, RoomState.OUT, out)
            elif found.attempt is None:
                self._again(found)

    def enter_later(self, place: RoomPlace, wish: Wish) -> RoomRefusal | None:
        """Keep the wish and come in as soon as that can be; what comes of it the membership tells. The refusal of what is over a bound."""
        with self._core.lock:
            found = self._core.table.get(place)
            if found is None or not found.is_established:
                if (refusal := self._bounds.refusal(place, wish, is_new=found is None)) is not None:
                    return refusal
                found = found or self._new(place, wish)
                found.is_established = True
            if found.state is not RoomState.IN:
                found.wish = merged(found.wish, wish)  # kept whatever becomes of an attempt that is under way
                self._core.keep(found)
                if found.attempt is None:
                    self._again(found)
                    return None
        self.enter(place, wish, _told_by_the_membership)
        return None

    def is_kept(self, place: RoomPlace) -> bool:
        """Whether the storage has all that was wanted of it so far; waits for that (bounded). Not within a handler."""
        return self._core.is_kept(place)

    def _again(self, membership: RoomMembership) -> None:
        """Come in, or be about to until the link is up. Needs the lock."""
        if self._core.can_reach(membership.place):
            self._joining.begin(membership, again(membership))
        else:
            self._core.take(membership, RoomState.JOINING, reason_of_error(unreachable(self._core, membership.place).error, rejoin=True))

    # -- being in

    def touched(self, place: RoomPlace) -> None:
        """The occupant speaks."""
        with self._core.lock:
            if (found := self._core.table.get(place)) is not None:
                found.spoken = time.monotonic()

    def refused(self, place: RoomPlace, error: StanzaError) -> None:
        """An own message came back: the room may not know the occupant any more (§7.2)."""
        with self._core.lock:
            found = self._core.table.get(place)
            if found is not None and found.state is RoomState.IN:
                self._news.message_refused(found, error)

    def check(self, place: RoomPlace, then: OnEntered) -> None:
        """Ask the room whether the occupant is in; `then` is called once that is known, and it has come in again where it was not."""
        with self._core.lock:
            found = self._core.table.get(place)
            if found is None or found.state is not RoomState.IN:
                self._core.answer([then], None)
            else:
                found.is_checked = False
                self._watching.confirmed(found, then)

    def confirmed(self, place: RoomPlace, then: OnEntered) -> None:
        """Call `then` once it is known to be in, since the link is up last; it comes in again where it is not (§7.3)."""
        with self._core.lock:
            found = self._core.table.get(place)
            if found is None:
                self._core.answer([then], join_refused(stanza_error("not-acceptable"), str(place.room)))
            elif found.state is not RoomState.IN:
                self._enter_again(found, Wish(), then)
            elif self._watching.confirmed(found, then):
                self._core.answer([then], None)

    def presence(self, stanza: Element, sender: JID, place: RoomPlace) -> bool:
        """Take notice of a presence of a room, or of one of its occupants; whether there is a membership."""
        return self._news.presence(stanza, sender, place)

    def heard(self, stanza: Element, place: RoomPlace) -> bool:
        """The room has sent a message to the occupant; whether it is news."""
        return self._news.heard(stanza, place)

    def link_changed(self, domain: str, online: bool) -> None:
        """The stream of this hosted domain is up, or down."""
        self._watching.link_changed(domain, online)

    def owner_changed(self, domain: str) -> None:
        """The rooms at this domain, which is hosted, have another owner."""
        self._watching.owner_changed(domain)

    # -- leaving

    def leave(self, place: RoomPlace, reason: str = "", *, forget: bool = True) -> bool:
        """Leave; False: there is no membership. `forget`: else it stays on record as `out`."""
        with self._core.lock:
            found = self._core.table.get(place)
            if found is not None:
                self._watching.leave(found, reason, forget=forget)
            return found is not None

    def leave_all(self, is_meant: Callable[[RoomPlace, Wish], bool], reason: str = "") -> list[JID]:
        """Leave these; their rooms."""
        with self._core.lock:
            meant = [m for m in self._core.table.values() if is_meant(m.place, m.wish)]
            for membership in meant:
                self._watching.leave(membership, reason)
        return [membership.place.room for membership in meant]

    def actor_removed(self, actor: JID) -> None:
        """The account is no longer there."""
        self.leave_all(lambda place, _: place.actor == actor.bare, "The account was removed")


def _told_by_the_membership(_: object) -> None:
    """Nobody waits for it."""
