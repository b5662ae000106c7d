"""What rooms elsewhere answer before a file comes: whether an address is one, and whether it lets the sender in (files §2.2, §2.3)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

from xmpp_rest.config.room_tables import RoomsAnywhereSettings
from xmpp_rest.link.router import Router
from xmpp_rest.processes.group import End, Reply
from xmpp_rest.processes.on_leader import on_leader
from xmpp_rest.processes.remote import Remote
from xmpp_rest.protocol.conditions import StanzaError, stanza_error
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.rooms.discovery import PATIENCE, Discovery, RoomInfo
from xmpp_rest.service.rooms.memberships import Memberships
from xmpp_rest.service.rooms.refused import RoomRefusal, RoomRefused, join_refused, not_answered
from xmpp_rest.service.rooms.values import RoomState, Wish
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.waits import Wait

T = TypeVar("T")
TURNS = 30.0  # seconds, on top of those for a join, that it may wait for its turn and for service discovery
NOT_IN = "Not in the room; PUT /rest/rooms/{room} joins it"


class _Collected(Generic[T]):
    """Several answers that come one by one; `then` is called with all of them, once."""

    def __init__(self, missing: Sequence[T], then: Callable[[list[T]], object]) -> None:
        """`missing`: what stands for each answer that has not come."""
        self._answers = list(missing)
        self._left = len(missing)
        self._then = then
        self._is_over = False
        self._lock = threading.Lock()

    def put(self, place: int, answer: T) -> None:
        """One has come."""
        with self._lock:
            self._answers[place] = answer
            self._left -= 1
            ends = not self._left and not self._is_over
            self._is_over = self._is_over or ends
        if ends:
            self._then(self._answers)

    def end(self) -> None:
        """Nobody waits any longer for what has not come."""
        with self._lock:
            ends, self._is_over = not self._is_over, True
        if ends:
            self._then(list(self._answers))


class RoomAnswers:
    """Asks rooms, in the leader; may be called in every process. Nothing waits with a thread for long."""

    def __init__(
        self, memberships: Memberships, discovery: Discovery, router: Router, settings: RoomsAnywhereSettings, remote: Remote
    ) -> None:
        self._memberships = memberships
        self._discovery = discovery
        self._router = router
        self._settings = settings
        self._remote = remote
        remote.offer(self)

    def configure(self, settings: RoomsAnywhereSettings) -> None:
        """Work by these settings from now on."""
        self._settings = settings

    # which addresses are rooms

    def are_rooms(self, sender: JID, addresses: Sequence[JID]) -> list[bool]:
        """Whether each of these bare addresses, none of which is hosted, is a room. Raises GatewayError."""
        return self.which_are_rooms(sender, list(addresses), Wait(PATIENCE + 1))

    def _which_deferred(self, reply: Reply, sender: JID, addresses: list[JID], wait: Wait) -> End:
        return self._which(sender, addresses, reply).end

    @on_leader(deferred=_which_deferred, repeatable=True)
    def which_are_rooms(self, sender: JID, addresses: list[JID], wait: Wait) -> list[bool]:
        """As `are_rooms`. Raises GatewayError."""
        ended = OneShot[list[bool]]()
        collected = self._which(sender, addresses, ended.give)
        return ended.wait(*wait) or _now(collected, ended)

    def _which(self, sender: JID, addresses: Sequence[JID], then: Callable[[list[bool]], object]) -> _Collected[bool]:
        collected = _Collected([False] * len(addresses), then)
        for place, address in enumerate(addresses):
            if self._is_known(sender, address):
                collected.put(place, True)
            else:
                self._discovery.ask(address, partial(self._informed, collected, place), asker=sender)
        return collected

    def _is_known(self, sender: JID, address: JID) -> bool:
        """Whether a room is at the address, without asking it. What is one for accounts elsewhere says nothing for others."""
        if self._router.occupancy.is_room(address) and sender.domain in self._router.domains:
            return True
        return self._router.occupancy.is_raw(sender, address) or self._memberships.holds(self._memberships.place(sender.bare, address))

    @staticmethod
    def _informed(collected: _Collected[bool], place: int, info: RoomInfo | StanzaError | None) -> None:
        collected.put(place, isinstance(info, RoomInfo) and info.is_conference)

    # coming in

    def enter(self, sender: JID, rooms: Sequence[JID], nick: str) -> list[Exception | None]:
        """Have the sender be in each of these rooms; why it cannot be. `nick`: "" for the default one. Raises GatewayError."""
        wait = Wait(self._settings.join_timeout + TURNS)
        return [None if refusal is None else RoomRefused(refusal) for refusal in self.enter_all(sender, list(rooms), nick, wait)]

    def _enter_deferred(self, reply: Reply, sender: JID, rooms: list[JID], nick: str, wait: Wait) -> End:
        return self._enter(sender, rooms, nick, reply).end

    @on_leader(deferred=_enter_deferred)
    def enter_all(self, sender: JID, rooms: list[JID], nick: str, wait: Wait) -> list[RoomRefusal | None]:
        """As `enter`, with refusals as values. Raises GatewayError."""
        ended = OneShot[list[RoomRefusal | None]]()
        collected = self._enter(sender, rooms, nick, ended.give)
        return ended.wait(*wait) or _now(collected, ended)

    def _enter(
        self, sender: JID, rooms: Sequence[JID], nick: str, then: Callable[[list[RoomRefusal | None]], object]
    ) -> _Collected[RoomRefusal | None]:
        missing: list[RoomRefusal | None] = [not_answered(str(room)) for room in rooms]
        collected = _Collected(missing, then)
        for number, room in enumerate(rooms):
            self._enter_one(sender, room, nick, partial(collected.put, number))
        return collected

    def _enter_one(self, sender: JID, room: JID, nick: str, then: Callable[[RoomRefusal | None], None]) -> None:
        place = self._memberships.place(sender.bare, room)
        state = self._memberships.state(place)
        if room.domain in self._settings.no_join or self._router.occupancy.is_raw(sender, room) or state is RoomState.IN:
            then(None)
        elif state is None and self._settings.join == "never":
            then(join_refused(stanza_error("not-acceptable", NOT_IN.format(room=room)), str(room)))
        else:
            wish = Wish(nick=nick, is_named=bool(nick))
            self._memberships.enter(place, wish, lambda refused: then(None if refused is None else refused.refusal))


def _now(collected: _Collected[T], ended: OneShot[list[T]]) -> list[T]:
    """What has come by now."""
    collected.end()
    answers = ended.wait()
    assert answers is not None
    return answers
