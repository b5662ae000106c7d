"""How many MUC Light rooms may one account own, and how many people of other servers may be in all of them?

Everything that is said in a room goes to each of its occupants: without a bound one account could have the gateway write to anybody.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Sequence

from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.muclight.room import OWNER, Change, Room, Rules
from xmpp_rest.service.muclight.rooms import Rooms

REMEMBERED = 1000
"""Owners whose rooms are known; the one asked least lately is forgotten first."""


class Quotas:
    """Knows who owns which rooms, in the process that makes all changes. Methods raise StorageError."""

    def __init__(self, rooms: Rooms, hosted: Collection[str], rules: Rules) -> None:
        """`hosted`: the domains whose people are not foreign."""
        self._rooms = rooms
        self._hosted = hosted
        self._rules = rules
        self._owned: OrderedDict[JID, dict[str, int]] = OrderedDict()  # foreign occupants by room
        self._lock = threading.Lock()

    def require(self, before: Room | None, after: Room, wanted: Sequence[Change] = ()) -> None:
        """Whether a room may be made, or become this by the changes that somebody wants. Raises GatewayError: room-full.

        Who becomes the owner because another one leaves is not asked: leaving is always possible.
        """
        owner = _owner(after)
        if owner is None:
            return
        foreign, was = self._foreign(after), self._foreign(before) if before else 0
        appointed = before is None or any(change == (owner, OWNER) for change in wanted)
        if not appointed and foreign <= was:
            return
        owned = self._of(owner)
        if appointed and after.jid.local not in owned and len(owned) >= self._rules.per_owner:
            raise GatewayError("room-full", f"{owner} owns {len(owned)} rooms, and may own {self._rules.per_owner} ([rooms] per_owner)")
        total = sum(owned.values()) - owned.get(after.jid.local, 0) + foreign
        if foreign and total > self._rules.foreign_per_owner:
            limit = f"{self._rules.foreign_per_owner} at most ([rooms] foreign_per_owner)"
            raise GatewayError("room-full", f"{total} occupants of other servers would be in the rooms of {owner}; there may be {limit}")

    def changed(self, before: Room | None, after: Room | None) -> None:
        """A room has been made, changed or destroyed (None: there is none)."""
        with self._lock:
            if before and (owned := self._known(before)) is not None:
                owned.pop(before.jid.local, None)
            if after and (owned := self._known(after)) is not None:
                owned[after.jid.local] = self._foreign(after)

    def _known(self, room: Room) -> dict[str, int] | None:
        owner = _owner(room)
        return None if owner is None else self._owned.get(owner)

    def _of(self, owner: JID) -> dict[str, int]:
        with self._lock:
            if owner not in self._owned:
                rooms = [room for room in self._rooms.occupied(owner) if _owner(room) == owner]
                self._owned[owner] = {room.jid.local: self._foreign(room) for room in rooms}
                if len(self._owned) > REMEMBERED:
                    self._owned.popitem(last=False)
            self._owned.move_to_end(owner)
            return dict(self._owned[owner])

    def _foreign(self, room: Room) -> int:
        return sum(user.domain not in self._hosted for user in room.affiliations)


def _owner(room: Room) -> JID | None:
    return next((user for user, affiliation in room.affiliations.items() if affiliation == OWNER), None)
