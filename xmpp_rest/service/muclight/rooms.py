"""The store of the MUC Light rooms: one table for each room, and one for each occupant with the names of its rooms.

The room's table is authoritative. The occupant's table may name a room too many, for a moment or after a crash, but never one too few:
a change adds the room to new occupants' tables first (`add_pending`), and reconciles both at the end (`sync_occupants`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from drivers import ArchiveQuery, Driver, Place, Table
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.service.messages.archive import ARCHIVE
from xmpp_rest.service.muclight.room import MucLightRoom, RoomSummary

ROOM = "muclight"  # by the room's localpart
OCCUPIES = "muclight_rooms"  # by the occupant's bare address
MAX_ROOMS = 10_000  # that one user occupies


class MucLightRooms:
    """The rooms of one domain. Every method raises StorageError."""

    def __init__(self, driver: Driver, domain: str) -> None:
        self._driver = driver
        self.domain = domain

    def load(self, name: str) -> MucLightRoom | None:
        """The room of that name (a prepared localpart)."""
        return self._from_table(name, self._driver.load(name, self.domain, ROOM))

    def make(self, room: MucLightRoom) -> None:
        """Store a new room. Raises GatewayError: room-exists. Of two calls at once exactly one succeeds."""

        def work(table: Table | None) -> Table:
            if table is not None:
                raise GatewayError("room-exists")
            return _to_table(room)

        self._driver.update(room.jid.local, self.domain, ROOM, work)

    def change(self, name: str, edit: Callable[[MucLightRoom], MucLightRoom | None]) -> tuple[MucLightRoom, MucLightRoom | None]:
        """Replace the room by the result of `edit` (None: remove it), atomically; the room before and after.

        Raises GatewayError: room-unknown, and what `edit` raises; then nothing is changed.
        """
        steps: list[tuple[MucLightRoom, MucLightRoom | None]] = []

        def work(table: Table | None) -> Table | None:
            before = self._from_table(name, table)
            if before is None:
                raise GatewayError("room-unknown")
            after = edit(before)
            steps[:] = [(before, after)]  # a driver may run this again
            return None if after is None else _to_table(after)

        self._driver.update(name, self.domain, ROOM, work)
        return steps[0]

    def occupied(self, user: JID) -> list[MucLightRoom]:
        """The rooms that a user (bare address) is in."""
        rooms = (self._from_table(name, table) for name, table in self._tables(user))
        return [room for room in rooms if room and user in room.affiliations]

    def summaries(self, user: JID) -> list[RoomSummary]:
        """The same, without the occupants, whose number then hardly matters."""
        address = str(user)
        return [
            RoomSummary(JID(name, self.domain, ""), table["config"], table["version"])
            for name, table in self._tables(user)
            if isinstance(table, dict) and any(row["jid"] == address for row in table["occupants"])
        ]

    def _tables(self, user: JID) -> Iterator[tuple[str, object]]:
        """The rooms that a user may be in, with their tables, read together."""
        names = _names(self._driver.load(str(user), self.domain, OCCUPIES))
        for name, table in zip(names, self._driver.bulk_read([Place(n, self.domain, ROOM, "keyval") for n in names]), strict=True):
            if isinstance(table, Exception):
                raise table
            yield name, table

    def add_pending(self, users: Iterable[JID], name: str) -> None:
        """Add a room to the tables of users who are about to enter it. Raises GatewayError: room-full for a user in too many rooms."""
        for user in users:
            self._set_occupied(user, name, belongs=True)

    def sync_occupants(self, users: Iterable[JID], name: str) -> None:
        """Make the tables of these users agree with the room."""
        for user in users:
            while True:
                belongs = self._is_occupant(user, name)
                self._set_occupied(user, name, belongs=belongs)
                # a change of the room in between is written after this: so the last writer is right
                if self._is_occupant(user, name) == belongs:
                    break

    def _is_occupant(self, user: JID, name: str) -> bool:
        room = self.load(name)
        return room is not None and user in room.affiliations

    def _set_occupied(self, user: JID, name: str, *, belongs: bool) -> None:
        def work(table: Table | None) -> Table | None:
            names = _names(table)
            others = [other for other in names if other != name]
            if belongs and name not in names and len(names) >= MAX_ROOMS:
                raise GatewayError("room-full", f"{user} is in {MAX_ROOMS} rooms, and cannot be in more")
            return table if belongs == (name in names) else [*others, name] if belongs else others

        self._driver.update(str(user), self.domain, OCCUPIES, work)

    def forget_history(self, name: str, until: float) -> None:
        """Remove the room's archive up to a time (Unix, seconds), so that a later room of this name starts empty."""
        self._driver.archive_delete(name, self.domain, ARCHIVE, ArchiveQuery(end=until))

    def forget_item(self, name: str, identifier: str) -> None:
        """Remove one archived item."""
        self._driver.archive_delete(name, self.domain, ARCHIVE, ArchiveQuery(ids=(identifier,)))

    def _from_table(self, name: str, table: object) -> MucLightRoom | None:
        if not isinstance(table, dict):
            return None
        occupants = {parse_jid(row["jid"]): str(row["affiliation"]) for row in table["occupants"]}
        return MucLightRoom(JID(name, self.domain, ""), table["config"], occupants, table["version"], table["birth"])


def _to_table(room: MucLightRoom) -> dict[str, Any]:
    # a list: an address can be a reserved key of a table (`__hash`)
    occupants = [{"jid": str(user), "affiliation": affiliation} for user, affiliation in room.affiliations.items()]
    return {"config": dict(room.config), "occupants": occupants, "version": room.version, "birth": room.birth}


def _names(table: Table | None) -> list[str]:
    return table if isinstance(table, list) else []
