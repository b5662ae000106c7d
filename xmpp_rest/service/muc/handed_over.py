"""The occupants of rooms as values that can be kept, from one process that holds the rooms to the next (many-machines §11)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from drivers import StorageError
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.protocol.parse import parse_stored
from xmpp_rest.service.muc.room import Occupant, Room
from xmpp_rest.service.muc.rooms import MucRooms
from xmpp_rest.service.muc.stored import from_table, to_table
from xmpp_rest.service.muc.visits import Visits

log = logging.getLogger("xmpp_rest.rooms")

Row = dict[str, Any]


class HandedOverRooms:
    """The rooms of one domain, as the process that holds them ends, or the next one begins."""

    def __init__(self, rooms: MucRooms, visits: Visits) -> None:
        self._rooms = rooms
        self._visits = visits

    def rows(self) -> Iterator[Row]:
        """What is not in the storage of each room that is in memory; one that is not persistent as a whole. Raises StorageError."""
        for room in self._rooms.each(self._rooms.live()):
            kept = {} if room.stored else {"table": to_table(room)}
            yield {"room": room.jid.local, "configured": room.configured, "occupants": [_row(o) for o in room.occupants.values()], **kept}

    def restore(self, row: Row) -> None:
        """Put the occupants of a row back into their room. Raises whatever a row that is none makes it raise."""
        name = row["room"]
        if (table := row.get("table")) is not None:
            self._rooms.adopt(from_table(JID(name, self._rooms.domain, ""), table))
        try:
            with self._rooms.held(name) as room:
                room.configured = row["configured"]
                for each in row["occupants"]:
                    self._enter(room, each)
        except (GatewayError, StorageError) as e:
            log.warning("who was in the room %s is not known any more: %s", name, e)

    def _enter(self, room: Room, row: Row) -> None:
        sessions = {parse_jid(session): parse_stored(presence) for session, presence in row["sessions"]}
        occupant = Occupant(row["nick"], parse_jid(row["bare"]), row["role"], sessions)
        room.occupants[occupant.nick] = occupant
        self._visits.count(occupant.bare, room.jid.local, len(sessions))


def _row(occupant: Occupant) -> Row:
    sessions = [[str(session), serialise(presence)] for session, presence in occupant.sessions.items()]
    return {"nick": occupant.nick, "bare": str(occupant.bare), "role": occupant.role, "sessions": sessions}
