"""How many rooms an actor may be in, and how often it may come into one (rooms-anywhere §4)."""

from __future__ import annotations

import math
import time
from collections import deque

from xmpp_rest.protocol.conditions import StanzaError, stanza_error
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.rooms.attempt import CALLBACK, HOOK
from xmpp_rest.service.rooms.core import RoomCore
from xmpp_rest.service.rooms.membership import RoomMembership
from xmpp_rest.service.rooms.refused import RoomRefusal, join_refused
from xmpp_rest.service.rooms.values import RoomPlace, Wish
from xmpp_rest.service.rooms.watching import Watching

WINDOW = 60.0  # seconds
IDLE = 3600.0  # seconds after which a room on demand makes place for another one
FULL = "This account is in as many rooms as it may; leave one"
FULL_FOR_ALL = "Accounts of other servers are in as many rooms as they may be all together; try again later"
OFTEN = "This account has come into as many rooms in a minute as it may; Retry-After says when the next one is possible"
MOST_OF_HOOKS = 10_000  # occupants of hooks together; who has not spoken for longest leaves
MOST_ELSEWHERE = 10_000  # occupants of accounts elsewhere together, each of which takes memory that a server fills
MOST_ACTORS = 10_000  # whose joins are counted


class JoinBounds:
    """Guarded by the lock of the memberships."""

    def __init__(self, core: RoomCore, watching: Watching) -> None:
        self._core = core
        self._watching = watching
        self._joins: dict[JID, deque[float]] = {}

    def refusal(self, place: RoomPlace, wish: Wish, *, is_new: bool) -> RoomRefusal | None:
        """Why the actor may not come into this room now; None: it may, and this is counted."""
        if wish.by.startswith(HOOK):
            if is_new:
                self._make_place_for_hook()
            return None
        if wish.by.startswith(CALLBACK):
            return None
        if is_new and not self._core.addresses.is_hosted(place.occupant) and self._core.elsewhere >= MOST_ELSEWHERE:
            return join_refused(StanzaError("wait", "resource-constraint", FULL_FOR_ALL), str(place.room), code=503, retry_after=5)
        if is_new and not self._may_have_place(place):
            return join_refused(stanza_error("resource-constraint", FULL), str(place.room), code=403)
        if (refusal := self._too_often(place)) is None and is_new:
            self._make_place(place)
        return refusal

    def _may_have_place(self, place: RoomPlace) -> bool:
        return len(self._own(place)) < self._core.settings.rooms or bool(self._idle(place))

    def _make_place(self, place: RoomPlace) -> None:
        if len(self._own(place)) >= self._core.settings.rooms:
            self._watching.leave(min(self._idle(place), key=_spoken), "Another room takes its place")

    def _own(self, place: RoomPlace) -> list[RoomMembership]:
        return [m for m in self._core.of_actor(place.actor) if m.place.occupant == place.occupant]

    def _idle(self, place: RoomPlace) -> list[RoomMembership]:
        before = time.monotonic() - IDLE
        return [m for m in self._own(place) if m.is_on_demand and m.spoken <= before]

    def _make_place_for_hook(self) -> None:
        of_hooks = [m for m in self._core.table.values() if m.wish.by.startswith(HOOK)]
        if len(of_hooks) >= MOST_OF_HOOKS:
            self._watching.leave(min(of_hooks, key=_spoken), "Another room takes its place")

    def _too_often(self, place: RoomPlace) -> RoomRefusal | None:
        now = time.monotonic()
        if len(self._joins) > MOST_ACTORS:
            self._joins = {actor: times for actor, times in self._joins.items() if times[-1] > now - WINDOW}
        times = self._joins.setdefault(place.actor, deque())
        while times and times[0] <= now - WINDOW:
            times.popleft()
        if len(times) < self._core.settings.joins:
            times.append(now)
            return None
        after = max(1, math.ceil(times[0] + WINDOW - now))
        return join_refused(StanzaError("wait", "policy-violation", OFTEN), str(place.room), code=429, retry_after=after)


def _spoken(membership: RoomMembership) -> float:
    return membership.spoken
