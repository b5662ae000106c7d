"""Room configuration: changes options and destroys rooms, and notifies occupants of it (XEP-0045 §10.1.3, §10.2.1, §10.9)."""

from __future__ import annotations

from collections.abc import Mapping

from xmpp_rest.service.muc.broadcast import Broadcaster, OccupantChange
from xmpp_rest.service.muc.join import JoinHandler
from xmpp_rest.service.muc.notices import CONFIGURED, MEMBERS_ONLY, NOW_ANONYMOUS, NOW_NON_ANONYMOUS, destroyed
from xmpp_rest.service.muc.room import Room
from xmpp_rest.service.muc.rooms import MucRooms
from xmpp_rest.service.muc.subscribe import Subscriptions

_ANONYMITY = {"true": (NOW_ANONYMOUS,), "false": (NOW_NON_ANONYMOUS,)}
_SILENT = frozenset(("subject", "subject_author"))  # announced as a subject, not as a change of the configuration


class Configuration:
    """Changes rooms as a whole. Called with the room held."""

    def __init__(self, rooms: MucRooms, broadcaster: Broadcaster, join_handler: JoinHandler, subscriptions: Subscriptions) -> None:
        self._rooms = rooms
        self._broadcaster = broadcaster
        self._join_handler = join_handler
        self._subscriptions = subscriptions

    def change(self, room: Room, options: Mapping[str, str]) -> None:
        """Set options (values as `read_option` returns them), and notify the occupants."""
        changed = {name: value for name, value in options.items() if room.options[name] != value}
        room.options.update(changed)
        room.configured = True
        self._rooms.save(room)
        if not changed:
            return
        if changed.keys() - _SILENT:
            self._broadcaster.broadcast_status(room, [CONFIGURED, *_ANONYMITY.get(changed.get("anonymous", ""), ())])
        if "subject" in changed:
            self._broadcaster.send_subject(room)
        if changed.get("members_only") == "true":
            self._remove_non_members(room)
        self._join_handler.remove_stale(room)

    def _remove_non_members(self, room: Room) -> None:
        for occupant in list(room.occupants.values()):
            if room.affiliation(occupant.bare) in ("none", "outcast"):
                self._join_handler.remove(room, occupant, OccupantChange((MEMBERS_ONLY,), leaving=True))
        for subscriber in list(room.subscribers):
            self._subscriptions.revoke(room, subscriber)

    def destroy(self, room: Room, reason: str = "", alternate: str = "", password: str = "", *, quietly: bool = False) -> None:
        """Destroy the room and notify its occupants, and its subscribers unless `quietly`."""
        element = destroyed(reason, alternate, password)
        if quietly:
            room.subscribers.clear()
        self._join_handler.remove_all(room, OccupantChange(leaving=True, destroy=element))
        self._broadcaster.notify_destroyed(room, element)
        self._rooms.end(room)
