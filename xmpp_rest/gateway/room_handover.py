"""RoomHandover: what one owner leaves for the next in an orderly change: who is in rooms, here and on other servers (many-machines §11)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, NamedTuple

from drivers import Driver, StorageError
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.occupancy import Occupancy
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.muc.handed_over import HandedOverRooms

log = logging.getLogger("xmpp_rest.rooms")

STORE = "xmpprest_handed_over"  # a list of the domain's own
LASTS = 60.0  # seconds after which clients take themselves for gone


class Term(NamedTuple):
    """Of one owner: its epoch, and the time of the storage (Unix)."""

    epoch: int
    now: float


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
        self._driver = driver
        self._domain = domain
        self._rooms = rooms
        self._occupancy = occupancy
        self._term = term
        self._incidents = incidents

    def leave(self) -> None:
        """Write down who is where, for the next owner. Nothing may change it any more."""
        try:
            epoch, now = self._term()
            rows: list[Any] = [{"epoch": epoch, "now": now}]
            rows += [{"raw": [str(occupant), str(room), nick]} for occupant, room, nick in self._occupancy.raw()]
            rows += self._rooms.rows() if self._rooms is not None else ()
            self._driver.list_store(None, self._domain, STORE, rows)
        except Exception as e:  # what ends after this ends all the same
            self._incidents.report(log, "rooms-left", "who is in rooms is not handed over: %s", e, trace=not isinstance(e, StorageError))

    def take(self) -> None:
        """Go on with what the owner before has written down, if that was just now."""
        try:
            rows = self._driver.list_load(None, self._domain, STORE) or []
            if not rows:
                return
            self._driver.list_store(None, self._domain, STORE, [])
            epoch, now = self._term()
            match rows[0]:
                case {"epoch": int(former), "now": int() | float() as then} if former + 1 == epoch and now - then < LASTS:
                    self._restore(rows[1:])
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
