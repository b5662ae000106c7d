"""RoomHandover: what one owner leaves for the next in an orderly change: who is in rooms, here and on other servers (many-machines §11)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from drivers import Driver, StorageError
from xmpp_rest.gateway.left_list import LeftList, Term
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.occupancy import Occupancy
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.muc.handed_over import HandedOverRooms

log = logging.getLogger("xmpp_rest.rooms")

STORE = "xmpprest_handed_over"  # a list of the domain's own


class RoomHandover:
    """In the process that owns, or is about to. What fails costs the occupants their places, as a crash does, and nothing else."""

    def __init__(
        self,
        driver: Driver,
        domain: str,
        rooms: HandedOverRooms | None,
        occupancy: Occupancy,
        term: Callable[[], Term],
        incidents: Incidents,
    ) -> None:
        """`domain`: `[gateway] domain`; `rooms`: None: none are hosted; `term`: of this process; raises StorageError."""
        self._kept = LeftList(driver, domain, STORE, term)
        self._rooms = rooms
        self._occupancy = occupancy
        self._incidents = incidents

    def leave(self) -> None:
        """Write down who is where, for the next owner. Nothing may change it any more."""
        try:
            rows: list[Any] = [{"raw": [str(occupant), str(room), nick]} for occupant, room, nick in self._occupancy.raw()]
            rows += self._rooms.rows() if self._rooms is not None else ()
            self._kept.leave(rows)
        except Exception as e:  # what ends after this ends all the same
            self._incidents.report(log, "rooms-left", "who is in rooms is not handed over: %s", e, trace=not isinstance(e, StorageError))

    def take(self) -> None:
        """Go on with what the owner before has written down, if that was just now."""
        try:
            self._restore(self._kept.take())
        except StorageError as e:
            self._incidents.report(log, "rooms-left", "who was in rooms is not known any more: %s", e)

    def _restore(self, rows: list[Any]) -> None:
        for row in rows:
            try:
                if "raw" in row:
                    occupant, room, nick = row["raw"]
                    self._occupancy.restore(parse_jid(occupant), parse_jid(room), nick)
                elif self._rooms is not None:
                    self._rooms.restore(row)
            except Exception as e:  # of another release, say
                self._incidents.report(log, "rooms-left", "who was in a room is not known any more: %r", e)
