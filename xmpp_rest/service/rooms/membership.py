"""One membership: what is known and wanted of one occupant in one room. Guarded by the lock of the memberships."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from xmpp_rest.service.rooms.discovery import RoomInfo
from xmpp_rest.service.rooms.occupant_list import OccupantList
from xmpp_rest.service.rooms.values import Reason, RoomPlace, RoomState, RoomView, Subject, Wish
from xmpp_rest.threads.backoff import Backoff
from xmpp_rest.threads.timers import Timer

if TYPE_CHECKING:
    from xmpp_rest.service.rooms.attempt import Attempt, OnEntered


class RoomMembership:
    """All that is known. Its state is changed by `take` alone."""

    def __init__(self, place: RoomPlace, wish: Wish, nick: str, occupants: OccupantList) -> None:
        """`nick`: that it wants; `occupants`: of the room, as far as they are kept."""
        self.place = place
        self.wish = wish
        self.nick = nick
        self.own_nick = nick
        """That of the room, once it is in."""
        self.state = RoomState.JOINING
        self.since = time.time()
        self.reason: Reason | None = None
        self.is_established = False
        """Whether it stays on record although a join fails: it was in before, or is stored."""
        self.info: RoomInfo | None = None
        self.subject: Subject | None = None
        self.role = self.affiliation = ""
        self.occupants = occupants
        self.attempt: Attempt | None = None
        self.waiting: list[OnEntered] = []
        """Who waits for the end of the attempt that is under way."""
        self.backoff = Backoff()
        self.losses = 0
        """How often it was lost soon after it had come in, without a longer stay since."""
        self.retry: Timer | None = None
        self.watch: Timer | None = None
        self.heard = self.spoken = self.changed_at = time.monotonic()
        """When the room has sent something last, when the occupant has spoken, and when the state was taken."""
        self.is_checked = True
        """Whether it is in for all that is known since the link is up."""
        self.is_pinging = False
        self.for_check: list[OnEntered] = []
        """Who waits for the answer to a self-ping."""
        self.silences = Backoff()
        self.next_ping: Timer | None = None
        """The next self-ping, where the last one was not answered."""

    def take(self, state: RoomState, reason: Reason | None) -> None:
        """It has this state now."""
        if state is not self.state:
            self.since = time.time()
        self.state, self.reason, self.changed_at = state, reason, time.monotonic()
        if state is not RoomState.IN:
            self.occupants.clear()
            self.role = self.affiliation = ""

    def settle(self) -> list[OnEntered]:
        """The attempt is over; who waits for that."""
        waiting, self.waiting, self.attempt = self.waiting, [], None
        return waiting

    def checked(self) -> list[OnEntered]:
        """It is known whether it is in; who waits for that."""
        waiting, self.for_check, self.is_checked = self.for_check, [], True
        return waiting

    @property
    def is_on_demand(self) -> bool:
        """Whether it is left where nobody speaks."""
        return not self.wish.stay and not self.wish.by.startswith("hook:")

    @property
    def is_persistent(self) -> bool:
        """Whether the room is known to stay when everybody has left."""
        return self.info is not None and self.info.is_persistent

    def summary(self) -> RoomView:
        """The view without what the room has told of itself and its occupants."""
        by = self.wish.by
        place = self.place
        return RoomView(str(place.occupant), str(place.room), self.own_nick, self.state.value, self.since, self.reason, self.wish.stay, by)

    def view(self) -> RoomView:
        """All that is told of it."""
        info = self.info
        return self.summary()._replace(
            name=info.name if info else "",
            subject=self.subject,
            role=self.role,
            affiliation=self.affiliation,
            persistent=self.is_persistent,
            features=info.features if info else (),
            occupants=self.occupants.sorted(),
            occupants_total=self.occupants.total,
        )
