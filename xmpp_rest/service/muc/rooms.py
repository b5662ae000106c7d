"""The registry of the conference rooms: keeps them in memory and in the storage.

Persistent rooms are in the storage, and in memory only while they have occupants; other rooms are only in memory, and end with the process.
Archives and history of every room are in the storage.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from drivers import Driver, Table
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.service.muc.history import History
from xmpp_rest.service.muc.options import DEFAULTS
from xmpp_rest.service.muc.room import Affiliation, Room, Subscriber
from xmpp_rest.threads.tasks import OrderLock

STORE = "muc"  # by the room's localpart
MAX_ROOMS = 10_000  # in memory


class MucRooms:
    """The rooms of `domain`. Methods raise StorageError."""

    def __init__(self, driver: Driver, domain: str, history: History, clock: Callable[[], float], defaults: Mapping[str, str]) -> None:
        """`defaults`: options of new rooms that differ from the table's defaults."""
        self._driver = driver
        self.domain = domain
        self.history = history
        self.clock = clock
        self._defaults = {**DEFAULTS, **defaults}
        self._live: dict[str, Room] = {}
        self._lock = OrderLock()  # taken after a room's lock, never before

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
        """The room, locked while the context lasts. Raises GatewayError: room-unknown."""
        while True:
            room = self._find(name)
            if room is None:
                raise GatewayError("room-unknown")
            with room.lock:
                if room.gone:  # destroyed, or unloaded, between finding and locking it
                    continue
                try:
                    yield room
                finally:
                    self._unload(room)
                return

    def each(self, names: Iterable[str]) -> Iterator[Room]:
        """The rooms of these names that still exist, each held while the caller works on it."""
        for name in names:
            try:
                with self.held(name) as room:
                    yield room
            except GatewayError as e:
                if e.name != "room-unknown":
                    raise

    def make(self, name: str, options: dict[str, str], affiliations: dict[JID, Affiliation], *, configured: bool = True) -> None:
        """Make a room. Raises GatewayError: room-exists, rooms-full. Of two calls at once exactly one succeeds."""
        now = self.clock()
        room = Room(JID(name, self.domain, ""), now, now, {**self._defaults, **options}, affiliations, configured=configured)
        with self._lock:
            if name in self._live or self._driver.load(name, self.domain, STORE) is not None:
                raise GatewayError("room-exists")
            if len(self._live) >= MAX_ROOMS:
                raise GatewayError("rooms-full")
            self.history.forget(room)  # of a room of this name whose removal a crash interrupted
            room.history = deque(maxlen=self.history.size)
            self._live[name] = room
        with room.lock:
            if not room.gone:
                self.save(room)
                self._unload(room)

    def save(self, room: Room) -> None:
        """Store the room if it is persistent."""
        if room.persistent:
            self._driver.store(room.jid.local, self.domain, STORE, _to_to_table(room))
        elif room.stored:
            self._driver.store(room.jid.local, self.domain, STORE, None)
            room.vacant_since = time.monotonic()
        room.stored = room.persistent

    def end(self, room: Room) -> None:
        """Remove the room with its history."""
        if room.stored:
            self._driver.store(room.jid.local, self.domain, STORE, None)
        self.history.forget(room)
        room.gone = True  # not before: if the storage fails, the room still exists
        with self._lock:
            self._live.pop(room.jid.local, None)

    def end_if_unused(self, room: Room) -> None:
        """Remove a room that is not persistent after its last occupant or subscriber has gone."""
        if not room.gone and not room.persistent and not room.occupants and not room.subscribers:
            self.end(room)

    def pruned(self, name: str, until: float) -> None:
        """The archive of a room was removed up to this time (Unix)."""
        if name in self._live:
            with suppress(GatewayError), self.held(name) as room:  # room-unknown
                self.history.forget_until(room, until)

    def vacant(self, age: float) -> list[str]:
        """The names of rooms that are not persistent and that nobody has entered for `age` seconds."""
        until = time.monotonic() - age
        return [name for name, room in tuple(self._live.items()) if _is_vacant(room, until)]

    def end_vacant(self, name: str, age: float) -> bool:
        """Remove such a room, unless somebody has entered in the meantime; whether it was removed here."""
        with suppress(GatewayError), self.held(name) as room:  # room-unknown
            if _is_vacant(room, time.monotonic() - age):
                self.end_if_unused(room)
            return room.gone
        return False

    def _unload(self, room: Room) -> None:
        """Unload a persistent room without occupants."""
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
                room = _from_to_table(JID(name, self.domain, ""), table)
                if room is not None:
                    self._live[name] = room
            return room


def _is_vacant(room: Room, until: float) -> bool:
    return not room.persistent and not room.occupants and not room.subscribers and room.vacant_since <= until


def _to_to_table(room: Room) -> Table:
    # lists: an address can be a reserved key of a table (`__hash`)
    return {
        "options": dict(room.options),
        "affiliations": [{"jid": str(user), "affiliation": a.word, "reason": a.reason} for user, a in room.affiliations.items()],
        "subscribers": [{"jid": str(user), "nick": s.nick, "nodes": list(s.nodes)} for user, s in room.subscribers.items()],
        "created": room.created,
        "used": room.used,
        "subject_at": room.subject_at,
    }


def _from_to_table(jid: JID, table: Table | None) -> Room | None:
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
