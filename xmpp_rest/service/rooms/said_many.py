"""Collects what became of several messages to rooms, for one caller."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from xml.etree.ElementTree import Element

from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.rooms.refused import RoomRefusal, not_answered
from xmpp_rest.service.rooms.said import ACCEPTED, HELD, REFLECTED, REFUSED, UNSENT, UNSHOWN, SpokenResult
from xmpp_rest.threads.timers import Timer, Timers


class OneSaid:
    """The listener of one message. `seconds`: for which the room is waited for once it is accepted; None: not at all."""

    def __init__(self, room: JID, seconds: float | None, timers: Timers, tell: Callable[[SpokenResult], None]) -> None:
        self._room = room
        self._seconds = seconds
        self._timers = timers
        self._tell = tell
        self._timer: Timer | None = None
        self._is_claimed = False
        self._is_accepted = False
        self._is_over = False
        self._nick = ""
        self._lock = threading.Lock()

    def claim(self) -> bool:
        """Whether it is still to be sent; then its caller is told what the other methods hear."""
        with self._lock:
            self._is_claimed = not self._is_over
            return self._is_claimed

    def accepted(self, nick: str, *, is_held: bool) -> None:
        """It is kept."""
        with self._lock:
            if self._is_accepted:
                return
            self._is_accepted, self._nick = True, nick
            waits = self._seconds is not None and not self._is_over
            if waits:
                self._timer = Timer(self.end)
        if waits and self._timer is not None and self._seconds is not None:
            self._timers.set(self._timer, self._seconds)
        elif not self._is_over:
            self._give(SpokenResult(HELD if is_held else ACCEPTED, nick))

    def held(self) -> None:
        """The time goes on."""

    def failed(self, said: SpokenResult) -> None:
        """It was not accepted, or refused at once."""
        self._give(said)

    def ended(self, answer: Element | RoomRefusal | None, nick: str) -> None:
        """The room has shown or refused it; None: neither, and the time that the caller has set goes on.

        Who does not wait for the room is told that the message was accepted, however fast the room is.
        """
        if self._seconds is None and not isinstance(answer, RoomRefusal):
            return
        if isinstance(answer, RoomRefusal):
            self._give(SpokenResult(REFUSED, nick, why=answer))
        elif answer is not None:
            self._give(SpokenResult(REFLECTED, nick, answer))

    def end(self) -> None:
        """The time is over, or nobody waits any more. What is about to be kept is told once it is."""
        with self._lock:
            if self._is_claimed and not self._is_accepted:
                self._seconds = None
                return
            accepted = self._is_accepted
        self._give(SpokenResult(UNSHOWN, self._nick) if accepted else SpokenResult(UNSENT, why=not_answered(str(self._room))))

    def _give(self, said: SpokenResult) -> None:
        with self._lock:
            if self._is_over:
                return
            self._is_over = True
        if self._timer is not None:
            self._timers.cancel(self._timer)
        self._tell(said)


class SaidMany:
    """Calls `tell` once, when it is known of each."""

    def __init__(
        self, rooms: Sequence[JID], seconds: float | None, longest: float, timers: Timers, tell: Callable[[list[SpokenResult]], object]
    ) -> None:
        """`rooms`: to which each message goes; `longest`: seconds for all together."""
        self._found: list[SpokenResult | None] = [None] * len(rooms)
        self._missing = len(rooms)
        self._timers = timers
        self._tell = tell
        self._lock = threading.Lock()
        self._places = [OneSaid(room, seconds, timers, partial(self._note, n)) for n, room in enumerate(rooms)]
        self._timer = timers.after(longest, self.end)

    def of(self, number: int) -> OneSaid:
        """The listener of one of them."""
        return self._places[number]

    def end(self) -> None:
        """Wait no longer."""
        for place in self._places:
            place.end()

    def _note(self, number: int, said: SpokenResult) -> None:
        with self._lock:
            self._found[number] = said
            self._missing -= 1
            is_last = not self._missing
        if is_last:
            self._timers.cancel(self._timer)
            self._tell([said for said in self._found if said is not None])
