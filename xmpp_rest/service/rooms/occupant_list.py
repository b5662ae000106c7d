"""The occupants of one room, as far as they are kept."""

from __future__ import annotations

from xmpp_rest.service.rooms.presences import RoomSaid
from xmpp_rest.service.rooms.values import RoomOccupant

MOST_NAMES = 100_000  # that are counted: a room may make up any number


class OccupantList:
    """Who is in. Not safe to be used by several threads."""

    def __init__(self, most: int) -> None:
        """`most`: that are kept; of further ones only the nicks are, to be counted."""
        self._most = most
        self._kept: dict[str, RoomOccupant] = {}
        self._further: set[str] = set()

    def __contains__(self, nick: str) -> bool:
        return nick in self._kept or nick in self._further

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self._kept) + len(self._further)

    def clear(self) -> None:
        """Nobody is known to be in."""
        self._kept.clear()
        self._further.clear()

    def put(self, nick: str, said: RoomSaid) -> None:
        """Somebody is in, or is shown otherwise now."""
        if nick in self._kept or len(self._kept) < self._most:
            self._kept[nick] = RoomOccupant(nick, said.role, said.affiliation, said.jid, said.occupant_id)
            self._further.discard(nick)
        elif len(self._further) < MOST_NAMES:
            self._further.add(nick)

    def remove(self, nick: str) -> bool:
        """Somebody has left; False: that was nobody who is known."""
        if self._kept.pop(nick, None) is not None:
            return True
        known = nick in self._further
        self._further.discard(nick)
        return known

    def sorted(self) -> tuple[RoomOccupant, ...]:
        """Those that are kept, by nick."""
        return tuple(sorted(self._kept.values(), key=lambda occupant: occupant.nick))
