"""Where are MUC Light rooms kept? One table for each room, and one for each occupant with the names of the rooms.

The room's table is the truth. The occupant's table may name a room too many, for a moment or after a crash, and never one too few:
whoever changes who is in a room notes newcomers first, and compares both tables at the end (`settle`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from drivers import ArchiveQuery, Driver, Table
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.service.messages.archive import ARCHIVE
from xmpp_rest.service.muclight.room import Room

ROOM = "muclight"  # by the room's localpart
OCCUPIES = "muclight_rooms"  # by the occupant's bare address
MAX_ROOMS = 10_000  # that one user occupies


class Rooms:
    """The rooms of one domain. Every method raises StorageError."""

    def __init__(self, driver: Driver, domain: str) -> None:
        self._driver = driver
        self.domain = domain

    def load(self, name: str) -> Room | None:
        """The room of that name (a prepared localpart)."""
        return self._read(name, self._driver.load(name, self.domain, ROOM))

    def make(self, room: Room) -> None:
        """Keep a new room. Raises GatewayError: room-exists. Of two calls at once exactly one succeeds."""

        def work(table: Table | None) -> Table:
            if table is not None:
                raise GatewayError("room-exists")
            return _table(room)

        self._driver.update(room.jid.local, self.domain, ROOM, work)

    def change(self, name: str, edit: Callable[[Room], Room | None]) -> None:
        """Replace the room by what `edit` makes of it (None: there is none any more), as one step.

        Raises GatewayError: room-unknown, and what `edit` raises; then nothing is changed.
        """

        def work(table: Table | None) -> Table | None:
            before = self._read(name, table)
            if before is None:
                raise GatewayError("room-unknown")
            after = edit(before)
            return None if after is None else _table(after)

        self._driver.update(name, self.domain, ROOM, work)

    def occupied(self, user: JID) -> list[Room]:
        """The rooms that a user (bare address) is in."""
        rooms = (self.load(name) for name in _names(self._driver.load(str(user), self.domain, OCCUPIES)))
        return [room for room in rooms if room and user in room.affiliations]

    def note(self, users: Iterable[JID], name: str) -> None:
        """These users are about to come into the room. Raises GatewayError: room-full for one who is in too many rooms."""
        for user in users:
            self._note(user, name, belongs=True)

    def settle(self, users: Iterable[JID], name: str) -> None:
        """Whether these users are in the room has changed: let their tables say so."""
        for user in users:
            while True:
                belongs = self._belongs(user, name)
                self._note(user, name, belongs=belongs)
                # nobody who changed the room in between can have written before this: so the last one to write is right
                if self._belongs(user, name) == belongs:
                    break

    def _belongs(self, user: JID, name: str) -> bool:
        room = self.load(name)
        return room is not None and user in room.affiliations

    def _note(self, user: JID, name: str, *, belongs: bool) -> None:
        def work(table: Table | None) -> Table | None:
            names = _names(table)
            others = [other for other in names if other != name]
            if belongs and name not in names and len(names) >= MAX_ROOMS:
                raise GatewayError("room-full", f"{user} is in {MAX_ROOMS} rooms, and cannot be in more")
            return table if belongs == (name in names) else [*others, name] if belongs else others

        self._driver.update(str(user), self.domain, OCCUPIES, work)

    def forget_history(self, name: str, until: float) -> None:
        """Remove what was archived in the room up to a time (Unix, seconds): a room of this name that comes later starts empty."""
        self._driver.archive_delete(name, self.domain, ARCHIVE, ArchiveQuery(end=until))

    def forget_item(self, name: str, identifier: str) -> None:
        """Remove one archived item."""
        self._driver.archive_delete(name, self.domain, ARCHIVE, ArchiveQuery(ids=(identifier,)))

    def _read(self, name: str, table: Table | None) -> Room | None:
        if not isinstance(table, dict):
            return None
        occupants = {parse_jid(row["jid"]): str(row["affiliation"]) for row in table["occupants"]}
        return Room(JID(name, self.domain, ""), table["config"], occupants, table["version"], table["birth"])


def _table(room: Room) -> dict[str, Any]:
    # a list: an address can be a word that means something else as a key (`__hash`)
    occupants = [{"jid": str(user), "affiliation": affiliation} for user, affiliation in room.affiliations.items()]
    return {"config": dict(room.config), "occupants": occupants, "version": room.version, "birth": room.birth}


def _names(table: Table | None) -> list[str]:
    return table if isinstance(table, list) else []
