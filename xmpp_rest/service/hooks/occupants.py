"""The occupants of rooms: each an actor, by its full address, in one room, under a nick (XEP-0045 §7.2; hooks §3).

An actor comes in before it speaks for the first time, and stays. Who was put out comes in again when it next wants to speak; if the room
does not let it in, the error tells how it was put out before.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from enum import Enum
from xml.etree.ElementTree import Element

from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import Router
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.conditions import StanzaError
from xmpp_rest.protocol.jid import JID, InvalidJID
from xmpp_rest.protocol.stanza import condition_of
from xmpp_rest.service.hooks.message import error_of_failure
from xmpp_rest.service.hooks.room_presence import CREATED, GONE, RENAMED, WayOut, destruction, entering, leaving, said_by, way_out
from xmpp_rest.threads.timers import Timer

log = logging.getLogger("xmpp_rest.hooks")

PATIENCE = 10.0  # seconds for a room to let an actor in
NICKS = 3  # that are tried: NICK, NICK_2, NICK_3
MOST = 10_000  # occupants; who has not spoken for longest leaves
LATE = StanzaError("wait", "remote-server-timeout", "The room does not answer")
NO_ROOM = StanzaError("cancel", "item-not-found", "There is no such room")

OnEntered = Callable[[StanzaError | None], None]
"""Gets why the room does not let the actor in; None: it is in."""


class Membership(Enum):
    """Whether an actor is in a room."""

    OUT = "out"
    JOINING = "joining"
    IN = "in"


class RoomActor:
    """What is known of one actor in one room. Guarded by the lock of Occupants."""

    def __init__(self, actor: JID, room: JID, nick: str) -> None:
        self.actor = actor
        self.room = room
        self.nick = nick
        """The one that it wants."""
        self.asked = nick
        """The one that it has asked for last: that of the room, once it is in."""
        self.membership = Membership.OUT
        self.tries = 0
        self.waiting: list[OnEntered] = []
        self.timer: Timer | None = None
        self.put_out: WayOut | None = None
        """How it was put out since it was in last."""

    def begin(self, nick: str, then: OnEntered, timer: Timer) -> None:
        """It comes in."""
        self.nick = self.asked = nick
        self.membership, self.tries, self.waiting, self.timer = Membership.JOINING, 1, [then], timer

    def next_nick(self) -> bool:
        """Take the next nick, as this one is taken; False: there is no further one."""
        if self.tries >= NICKS:
            return False
        self.tries += 1
        self.asked = f"{self.nick}_{self.tries}"
        return True

    def end(self, membership: Membership) -> list[OnEntered]:
        """It has come in, or not; who waits for that."""
        self.membership, waiting, self.waiting = membership, self.waiting, []
        if membership is Membership.IN:
            self.put_out = None
        return waiting

    def rename(self, nick: str) -> None:
        """The room calls it so."""
        self.asked = nick

    def set_out(self, way: WayOut | None) -> None:
        """It is not in any more; `way`: what is to be told of that, should it not come in again."""
        self.membership, self.put_out = Membership.OUT, way

    def explained(self, error: StanzaError) -> StanzaError:
        """Why the room does not let it in, with what has happened before."""
        return error if self.put_out is None else self.put_out.joined_to(error)


class Occupants:
    """All occupants. In memory, and in the leader: what another process has known of before is found out when a room is entered again."""

    def __init__(self, router: Router, remote: Remote, incidents: Incidents) -> None:
        self._router = router
        self._remote = remote
        self._incidents = incidents
        self._known: OrderedDict[tuple[JID, JID], RoomActor] = OrderedDict()  # by actor and room
        self._lock = threading.Lock()

    def enter(self, actor: JID, room: JID, nick: str, then: OnEntered) -> None:
        """Call `then`, by any thread, once the actor is in the room, or is not let in."""
        timer = Timer(lambda: self._ended(found, Membership.OUT, LATE))
        with self._lock:
            found = self._of(actor, room, nick)
            before, old = found.membership, found.asked
            if before is Membership.JOINING:
                found.waiting.append(then)
                return
            joins = before is Membership.OUT or found.nick != nick
            if joins:
                found.begin(nick, then, timer)
        if not joins:
            then(None)
            return
        self._remote.timers.set(timer, PATIENCE)
        if before is Membership.IN:  # under another nick
            self._send(leaving(actor, room, old))
        self._ask_in(found)

    def _of(self, actor: JID, room: JID, nick: str) -> RoomActor:
        found = self._known.setdefault((actor, room), RoomActor(actor, room, nick))
        self._known.move_to_end((actor, room))
        if len(self._known) > MOST:
            _, oldest = self._known.popitem(last=False)
            self._remote.pool.submit(lambda: self._send(leaving(oldest.actor, oldest.room, oldest.asked)))
        return found

    def _ask_in(self, occupant: RoomActor) -> None:
        try:
            presence = entering(occupant.actor, occupant.room, occupant.asked)
        except InvalidJID as e:
            self._ended(occupant, Membership.OUT, StanzaError("modify", "jid-malformed", f"This cannot be a nick: {e}"))
            return
        try:
            answer = self._router.send(presence)
        except Exception as e:
            self._ended(occupant, Membership.OUT, error_of_failure(e))
            return
        if answer is not None:
            self._refused(occupant, condition_of(answer))

    def _refused(self, occupant: RoomActor, error: StanzaError) -> None:
        """The room does not let it in under this nick."""
        with self._lock:
            again = occupant.membership is Membership.JOINING and error.condition == "conflict" and occupant.next_nick()
        if again:
            self._remote.pool.submit(lambda: self._ask_in(occupant))
        else:
            self._ended(occupant, Membership.OUT, error)

    def _ended(self, occupant: RoomActor, membership: Membership, error: StanzaError | None) -> None:
        """Its coming in has ended so; ignored for who does not come in."""
        with self._lock:
            if occupant.membership is not Membership.JOINING:
                return
            timer, waiting = occupant.timer, occupant.end(membership)
        if timer is not None:
            self._remote.timers.cancel(timer)
        log.info("%s is %s %s%s", occupant.actor, membership.value, occupant.room, f": {error.condition} {error.text}" if error else "")
        if error is LATE:  # it may still come in, and nobody would know of it
            self._remote.pool.submit(lambda: self._give_up(occupant, waiting))
        else:
            self._tell(occupant, waiting, error)

    def _give_up(self, occupant: RoomActor, waiting: Sequence[OnEntered]) -> None:
        """Leave, before anybody has it come in again."""
        self._send(leaving(occupant.actor, occupant.room, occupant.asked))
        self._tell(occupant, waiting, LATE)

    def _tell(self, occupant: RoomActor, waiting: Sequence[OnEntered], error: StanzaError | None) -> None:
        with self._lock:
            told = None if error is None else occupant.explained(error)
        for then in waiting:
            then(told)

    def _send(self, stanza: Element) -> None:
        try:
            self._router.send(stanza)
        except Exception as e:
            self._incidents.report(log, "hook-room", "%s is not told that %s leaves: %r", stanza.get("to"), stanza.get("from"), e)

    # -- what rooms say

    def nick(self, actor: JID, room: JID) -> str | None:
        """How the room calls the actor; None: nothing is known of it there."""
        with self._lock:
            occupant = self._known.get((actor, room))
            return None if occupant is None else occupant.asked

    def lost(self, actor: JID, room: JID) -> None:
        """The room says that the actor is not in: it has to come in again."""
        with self._lock:
            occupant = self._known.get((actor, room))
            if occupant is not None and occupant.membership is Membership.IN:
                occupant.set_out(None)

    def presence(self, stanza: Element, sender: JID, to: JID) -> None:
        """Take notice of a presence of a room, or of one of its occupants, for an actor."""
        with self._lock:
            occupant = self._known.get((to, sender.bare))
        if occupant is None:
            return
        kind, said = stanza.get("type"), said_by(stanza, sender)
        if kind == "error":
            self._refused(occupant, condition_of(stanza))
        elif sender.resource and (said.is_own or sender.resource == occupant.asked):
            if kind is None:
                self._is_in(occupant, sender.resource, said.codes)
            elif kind == "unavailable":
                self._is_out(occupant, stanza, said.codes, said.nick)

    def _is_in(self, occupant: RoomActor, nick: str, codes: frozenset[str]) -> None:
        with self._lock:
            if occupant.membership is Membership.OUT:
                return
            occupant.rename(nick)
        if CREATED in codes:  # a typing error does not make a room
            self._remote.pool.submit(lambda: self._undo(occupant))
        else:
            self._ended(occupant, Membership.IN, None)

    def _undo(self, occupant: RoomActor) -> None:
        """Destroy the room, which coming in has made."""
        with self._lock:
            waiting = occupant.end(Membership.JOINING)
        self._send(destruction(occupant.actor, occupant.room))
        self._send(leaving(occupant.actor, occupant.room, occupant.asked))
        self._ended(occupant, Membership.OUT, NO_ROOM)
        self._tell(occupant, waiting, NO_ROOM)

    def _is_out(self, occupant: RoomActor, stanza: Element, codes: frozenset[str], nick: str) -> None:
        if RENAMED in codes and nick:
            with self._lock:
                occupant.rename(nick)
            return
        way = way_out(stanza, codes)
        with self._lock:
            was_in = occupant.membership is Membership.IN
            if was_in:
                occupant.set_out(way)
        if was_in:  # else the room tells that it has left before, and is to answer it still
            log.info("%s is out of %s%s", occupant.actor, occupant.room, f": {way.text}" if way else "")

    # -- leaving

    def leave(self, is_meant: Callable[[RoomActor], bool]) -> list[JID]:
        """Have these leave their rooms, and forget them; the rooms."""
        with self._lock:
            meant = [occupant for occupant in self._known.values() if is_meant(occupant)]
            for occupant in meant:
                del self._known[occupant.actor, occupant.room]
        for occupant in meant:
            self._ended(occupant, Membership.OUT, GONE)
            self._send(leaving(occupant.actor, occupant.room, occupant.asked))
        return [occupant.room for occupant in meant]
