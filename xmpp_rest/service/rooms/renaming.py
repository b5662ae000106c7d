"""How an occupant that is in takes another nick (XEP-0045 §7.6, rooms-anywhere §6)."""

from __future__ import annotations

from functools import partial
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.stanza import condition_of, new_id
from xmpp_rest.service.rooms.attempt import OnEntered
from xmpp_rest.service.rooms.core import RoomCore
from xmpp_rest.service.rooms.joining import refusal_of_failure
from xmpp_rest.service.rooms.membership import RoomMembership
from xmpp_rest.service.rooms.presences import ASSIGNED, RoomSaid, renaming
from xmpp_rest.service.rooms.refused import RoomRefusal, join_refused, not_answered
from xmpp_rest.service.rooms.values import RoomPlace
from xmpp_rest.threads.timers import Timer

ALONE = "Alone in a room that is not persistent: a change of the nick would destroy it"
BUSY = "Another change of the nick is under way"


class _Change:
    """A change that the room has been asked for."""

    def __init__(self, nick: str, then: OnEntered, timer: Timer) -> None:
        self.nick = nick
        self.then = then
        self.timer = timer
        self.id = new_id()


class Renaming:
    """The changes that are under way. All of it needs the lock."""

    def __init__(self, core: RoomCore) -> None:
        self._core = core
        self._changes: dict[RoomPlace, _Change] = {}

    def begin(self, membership: RoomMembership, nick: str, then: OnEntered) -> None:
        """Ask the room for it."""
        place, by = membership.place, str(membership.place.room)
        if place in self._changes:
            self._core.answer([then], join_refused(stanza_error("conflict", BUSY), by))
        elif membership.occupants.total <= 1 and not membership.is_persistent:
            self._core.answer([then], join_refused(stanza_error("not-acceptable", ALONE), by))
        else:
            timer = Timer(partial(self._late, membership))
            change = self._changes[place] = _Change(nick, then, timer)
            self._core.timers.set(timer, self._core.settings.join_timeout)
            self._core.work.send(renaming(place, nick, change.id), partial(self._unsent, membership))

    def _unsent(self, membership: RoomMembership, failure: Element | Exception) -> None:
        with self._core.lock:
            self.end(membership, refusal_of_failure(failure, str(membership.place.room)))

    def _late(self, membership: RoomMembership) -> None:
        with self._core.lock:
            self.end(membership, not_answered(str(membership.place.room)))

    def refused(self, membership: RoomMembership, stanza: Element, location: str) -> None:
        """The room has answered a presence by an error."""
        change = self._changes.get(membership.place)
        if change is not None and stanza.get("id", change.id) == change.id:
            error = condition_of(stanza)
            self.end(membership, join_refused(error, error.by or stanza.get("from", ""), location=location))

    def shown(self, membership: RoomMembership, nick: str, said: RoomSaid) -> None:
        """The room shows the occupant to itself, under this nick: that may be the change, or a new role."""
        change = self._changes.get(membership.place)
        if change is not None and (nick == change.nick or ASSIGNED in said.codes):
            self.end(membership, None)

    def end(self, membership: RoomMembership, refusal: RoomRefusal | None) -> None:
        """The change is over, if there is one."""
        change = self._changes.pop(membership.place, None)
        if change is None:
            return
        self._core.cancel(change.timer)
        if refusal is not None:
            self._core.answer([change.then], refusal)
        else:
            membership.nick = change.nick
            membership.wish = membership.wish._replace(nick=change.nick, is_named=True)
            self._core.keep(membership)
            self._core.answer_once_kept([change.then], membership)
