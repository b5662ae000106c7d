"""The search for rooms that nobody has used for long."""

from __future__ import annotations

from contextlib import suppress

from xmpp_rest.errors import GatewayError
from xmpp_rest.service.muc.history import History
from xmpp_rest.service.muc.room import Room
from xmpp_rest.service.muc.rooms import MucRooms


class UnusedRooms:
    """Finds rooms by their last use. Methods raise StorageError."""

    def __init__(self, rooms: MucRooms) -> None:
        self._rooms = rooms
        self._history: History = rooms.history

    def until(self, when: float) -> list[str]:
        """The names of rooms without occupants that were last used at this time (Unix) or before, sorted."""
        found, used = [], dict[str, float]()
        for room in self._rooms.views(self._rooms.stored_until(when)):
            if room.occupants:
                continue
            last = self._last_use(room, when)
            if last <= when:
                found.append(room.jid.local)
            else:
                used[room.jid.local] = last
        for name, last in used.items():  # subscribers have spoken there: the next search need not look at it again
            with suppress(GatewayError), self._rooms.held(name) as room:  # room-unknown: destroyed meanwhile
                room.used = max(room.used, last)
                self._rooms.save(room)
        return sorted(found)

    def _last_use(self, room: Room, when: float) -> float:
        return room.used if room.used > when else self._history.last_use(room)
