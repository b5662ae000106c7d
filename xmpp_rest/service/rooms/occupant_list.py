"""The occupants of one room, as far as they are kept."""

from __future__ import annotations

from xmpp_rest.service.rooms.presences import RoomSaid
from xmpp_rest.service.rooms.values import RoomOccupant

OVERHEAD = 200  # bytes that one occupant takes beside its texts, about
MOST_NAMES = 100_000  # that are counted: a room may make up any number


class OccupantBudget:
    """Characters that the lists of several rooms may take together. None: any number."""

    def __init__(self, most: int | None = None, within: OccupantBudget | None = None) -> None:
        """`within`: that of several such, which holds as well."""
        self._most = most
        self._within = within
        self._taken = 0

    def take(self, size: int) -> bool:
        """Whether there is room for so many more, which are taken by that; with a negative number they are given back."""
        if size > 0 and self._most is not None and self._taken + size > self._most:
            return False
        if self._within is not None and not self._within.take(size):
            return False
        self._taken += size
        return True


class OccupantList:
    """Who is in. Not safe to be used by several threads."""

    def __init__(self, most: int, budget: OccupantBudget) -> None:
        """`most`: that are kept; of further ones only the nicks are, to be counted. For whom the budget has no room, nothing is."""
        self._most = most
        self._budget = budget
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
        self._budget.take(-sum(map(_size, self._kept.values())) - sum(len(nick) + OVERHEAD for nick in self._further))
        self._kept.clear()
        self._further.clear()

    def put(self, nick: str, said: RoomSaid) -> None:
        """Somebody is in, or is shown otherwise now."""
        self.remove(nick)
        if len(self._kept) < self._most:
            occupant = RoomOccupant(nick, said.role, said.affiliation, said.jid, said.occupant_id)
            if self._budget.take(_size(occupant)):
                self._kept[nick] = occupant
        elif len(self._further) < MOST_NAMES and self._budget.take(len(nick) + OVERHEAD):
            self._further.add(nick)

    def remove(self, nick: str) -> bool:
        """Somebody has left; False: that was nobody who is known."""
        if (occupant := self._kept.pop(nick, None)) is not None:
            return self._budget.take(-_size(occupant))
        known = nick in self._further
        if known:
            self._further.discard(nick)
            self._budget.take(-len(nick) - OVERHEAD)
        return known

    def sorted(self) -> tuple[RoomOccupant, ...]:
        """Those that are kept, by nick."""
        return tuple(sorted(self._kept.values(), key=lambda occupant: occupant.nick))


def _size(occupant: RoomOccupant) -> int:
    return OVERHEAD + sum(map(len, occupant))
