"""Which rooms are there, and where are they kept?

Persistent rooms are in the storage, in memory only while somebody is in them; other rooms are in memory alone, and end with the process.
Archives and history of every room are in the storage.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from drivers import Driver, Table
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.service.muc.history import History
from xmpp_rest.service.muc.options import DEFAULTS
from xmpp_rest.service.muc.room import Affiliation, Room, Subscriber

STORE = "muc"  # by the room's localpart
MAX_ROOMS = 10_000  # in memory


class Rooms:
    """The rooms of `domain`. Methods raise StorageError."""

    def __init__(self, driver: Driver, domain: str, history: History, clock: Callable[[], float], defaults: Mapping[str, str]) -> None:
        """`defaults`: options of new rooms that are not as the table has them."""
        self._driver = driver
        self.domain = domain
        self.history = history
        self.clock = clock
        self._defaults = {**DEFAULTS, **defaults}
        self._live: dict[str, Room] = {}
        self._lock = threading.Lock()  # taken after a room's lock, never before

    def names(self) -> list[str]:
        """The localparts of all rooms, sorted."""
        return sorted({*tuple(self._live), *self._driver.users(self.domain, STORE)})

    def live(self) -> list[str]:
        """The rooms that may have occupants."""
        return sorted(self._live)

    def exists(self, name: str) -> bool:
        return self._find(name) is not None

    @contextmanager
    def held(self, name: str) -> Iterator[Room]:
        """The room, which nobody else changes in this context. Raises GatewayError: room-unknown."""
        while True:
            room = self._find(name)
            if room is None:
                raise GatewayError("room-unknown")
            with room.lock:
                if room.gone:  # ended, or put away, between finding and locking it
                    continue
                try:
                    yield room
                finally:
                    self._put_away(room)
                return

    def make(self, name: str, options: dict[str, str], affiliations: dict[JID, Affiliation], *, configured: bool = True) -> None:
        """Make a room. Raises GatewayError: room-exists, rooms-full. Of two calls at once exactly one succeeds."""
        now = self.clock()
        room = Room(JID(name, self.domain, ""), now, now, {**self._defaults, **options}, affiliations, configured=configured)
        with self._lock:
            if name in self._live or self._driver.load(name, self.domain, STORE) is not None:
                raise GatewayError("room-exists")
            if len(self._live) >= MAX_ROOMS:
                raise GatewayError("rooms-full")
            self.history.forget(room)  # of a room of this name that a crash kept from being removed whole
            room.history = deque(maxlen=self.history.size)
            self._live[name] = room
        with room.lock:
            if not room.gone:
                self.save(room)
                self._put_away(room)

    def save(self, room: Room) -> None:
        """Keep what has changed, if the room is to be kept."""
        if room.persistent:
            self._driver.store(room.jid.local, self.domain, STORE, _table(room))
        elif room.stored:
            self._driver.store(room.jid.local, self.domain, STORE, None)
            room.vacant_since = time.monotonic()
        room.stored = room.persistent

    def end(self, room: Room) -> None:
        """The room is not there any more, nor anything of it."""
        if room.stored:
            self._driver.store(room.jid.local, self.domain, STORE, None)
        self.history.forget(room)
        room.gone = True  # not before: where the storage fails, the room is still there
        with self._lock:
            self._live.pop(room.jid.local, None)

    def left(self, room: Room) -> None:
        """Somebody has left, or subscribes no more: a room that is not persistent ends with the last one."""
        if not room.gone and not room.persistent and not room.occupants and not room.subscribers:
            self.end(room)

    def vacant(self, age: float) -> list[str]:
        """The rooms that would end with the last one who leaves, but that nobody has entered for `age` seconds."""
        until = time.monotonic() - age
        return [name for name, room in tuple(self._live.items()) if _is_vacant(room, until)]

    def end_vacant(self, name: str, age: float) -> bool:
        """End one of them, unless somebody has come meanwhile, or it has ended; whether it was ended here."""
        with suppress(GatewayError), self.held(name) as room:  # room-unknown
            if _is_vacant(room, time.monotonic() - age):
                self.left(room)
            return room.gone
        return False

    def _put_away(self, room: Room) -> None:
        """A persistent room needs no memory while nobody is in it."""
        if room.gone or not room.stored or room.occupants:
            return
        room.gone = True
        with self._lock:
            self._live.pop(room.jid.local, None)

    def _find(self, name: str) -> Room | None:
        with self._lock:
            room = self._live.get(name)
            if room is None:
                table = self._driver.load(name, self.domain, STORE) if name else None
                room = _room(JID(name, self.domain, ""), table)
                if room is not None:
                    self._live[name] = room
            return room


def _is_vacant(room: Room, until: float) -> bool:
    return not room.persistent and not room.occupants and not room.subscribers and room.vacant_since <= until


def _table(room: Room) -> Table:
    # lists: an address can be a word that means something else as a key (`__hash`)
    return {
        "options": dict(room.options),
        "affiliations": [{"jid": str(user), "affiliation": a.word, "reason": a.reason} for user, a in room.affiliations.items()],
        "subscribers": [{"jid": str(user), "nick": s.nick, "nodes": list(s.nodes)} for user, s in room.subscribers.items()],
        "created": room.created,
        "used": room.used,
        "subject_at": room.subject_at,
    }


def _room(jid: JID, table: Table | None) -> Room | None:
    if not isinstance(table, dict):
        return None
    known = {name: value for name, value in table["options"].items() if name in DEFAULTS}
    room = Room(jid, table["created"], table["used"], {**DEFAULTS, **known}, subject_at=table["subject_at"], stored=True)
    room.affiliations = {parse_jid(row["jid"]): Affiliation(row["affiliation"], row["reason"]) for row in _rows(table, "affiliations")}
    room.subscribers = {parse_jid(row["jid"]): Subscriber(row["nick"], tuple(row["nodes"] or ())) for row in _rows(table, "subscribers")}
    return room


def _rows(table: dict[str, Any], name: str) -> list[dict[str, Any]]:
    rows = table.get(name)
    return rows if isinstance(rows, list) else []
