"""What follows when the options of a room change, or the room ends? (XEP-0045 §10.1.3, §10.2.1, §10.9)"""

from __future__ import annotations

from collections.abc import Mapping

from xmpp_rest.service.muc.broadcast import News, Voice
from xmpp_rest.service.muc.join import Doors
from xmpp_rest.service.muc.notices import (
    CONFIGURED,
    MEMBERS_ONLY,
    NOW_ANONYMOUS,
    NOW_NON_ANONYMOUS,
    destroyed,
)
from xmpp_rest.service.muc.room import Room
from xmpp_rest.service.muc.rooms import Rooms
from xmpp_rest.service.muc.subscribe import Subscriptions

_ANONYMITY = {"true": (NOW_ANONYMOUS,), "false": (NOW_NON_ANONYMOUS,)}
_SILENT = frozenset(("subject", "subject_author"))  # told as a subject, not as a change of the configuration


class Configuration:
    """Changes rooms as a whole. Called with the room held."""

    def __init__(self, rooms: Rooms, voice: Voice, doors: Doors, subscriptions: Subscriptions) -> None:
        self._rooms = rooms
        self._voice = voice
        self._doors = doors
        self._subscriptions = subscriptions

    def change(self, room: Room, options: Mapping[str, str]) -> None:
        """Set options, whose values are read already, and tell the occupants what has changed."""
        changed = {name: value for name, value in options.items() if room.options[name] != value}
        room.options.update(changed)
        room.configured = True
        self._rooms.save(room)
        if not changed:
            return
        if changed.keys() - _SILENT:
            self._voice.status(room, [CONFIGURED, *_ANONYMITY.get(changed.get("anonymous", ""), ())])
        if "subject" in changed:
            self._voice.subject(room)
        if changed.get("members_only") == "true":
            self._send_strangers_away(room)
        self._doors.sweep(room)

    def _send_strangers_away(self, room: Room) -> None:
        for occupant in list(room.occupants.values()):
            if room.affiliation(occupant.bare) in ("none", "outcast"):
                self._doors.remove(room, occupant, News((MEMBERS_ONLY,), leaving=True))
        for subscriber in list(room.subscribers):
            self._subscriptions.revoke(room, subscriber)

    def destroy(self, room: Room, reason: str = "", alternate: str = "", password: str = "", *, quietly: bool = False) -> None:
        """End the room; its occupants hear of it, and its subscribers unless it is done `quietly`."""
        element = destroyed(reason, alternate, password)
        if quietly:
            room.subscribers.clear()
        self._doors.vacate(room, News(leaving=True, destroy=element))
        self._voice.ended(room, element)
        self._rooms.end(room)
