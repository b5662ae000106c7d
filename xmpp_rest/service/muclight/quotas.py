"""Quotas of MUC Light: how many rooms one account may own, and how many users of other servers may be in all of them.

Each message to a room goes to all its occupants: without a bound one account could make the gateway send messages to anybody.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Sequence

from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.muclight.room import OWNER, MucLightRoom, NewAffiliation, Rules
from xmpp_rest.service.muclight.rooms import MucLightRooms

REMEMBERED = 1000
"""Owners whose rooms are cached; the least recently used one is dropped first."""


class Quotas:
    """Counts the rooms of each owner, in the process that makes all changes. Methods raise StorageError."""

    def __init__(self, rooms: MucLightRooms, hosted: Collection[str], rules: Rules) -> None:
        """`hosted`: the domains whose users are not foreign."""
        self._rooms = rooms
        self._hosted = hosted
        self._rules = rules
        self._owned: OrderedDict[JID, dict[str, int]] = OrderedDict()  # foreign occupants by room
        self._lock = threading.Lock()

    def require(self, before: MucLightRoom | None, after: MucLightRoom, wanted: Sequence[NewAffiliation] = ()) -> None:
        """Raise GatewayError, room-full, unless a room may be made, or changed to `after`.

        A user who becomes the owner because the previous one leaves is not checked: leaving is always possible.
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

    def changed(self, before: MucLightRoom | None, after: MucLightRoom | None) -> None:
        """Record that a room has been made, changed or destroyed (None: there is none)."""
        with self._lock:
            if before and (owned := self._known(before)) is not None:
                owned.pop(before.jid.local, None)
            if after and (owned := self._known(after)) is not None:
                owned[after.jid.local] = self._foreign(after)

    def _known(self, room: MucLightRoom) -> dict[str, int] | None:
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

    def _foreign(self, room: MucLightRoom) -> int:
        return sum(user.domain not in self._hosted for user in room.affiliations)


def _owner(room: MucLightRoom) -> JID | None:
    return next((user for user, affiliation in room.affiliations.items() if affiliation == OWNER), None)
