"""The registry of the conference rooms: keeps them in memory and in the storage.

Persistent rooms are in the storage, and in memory only while they have occupants; other rooms are only in memory, and end with the process.
Archives and history of every room are in the storage.
"""

from __future__ import annotations

import logging
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from heapq import merge
from itertools import groupby, islice

from drivers import Driver, Place, StorageError
from xmpp_rest.errors import GatewayError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.muc.history import History
from xmpp_rest.service.muc.options import DEFAULTS
from xmpp_rest.service.muc.room import Affiliation, Room
from xmpp_rest.service.muc.room_index import MemoryIndex, StoredIndex
from xmpp_rest.service.muc.stored import from_table, to_table, without_users
from xmpp_rest.threads.stripes import Stripes
from xmpp_rest.threads.tasks import OrderLock

log = logging.getLogger("xmpp_rest.rooms")

STORE = "muc"  # by the room's localpart
MAX_ROOMS = 10_000  # in memory
STRIPES = 64
BATCH = 500  # rooms that are read together


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
        self._orders = Stripes(STRIPES)  # held while a room is loaded or made; no other lock of a room is taken then
        self._stored_index = StoredIndex(driver, domain, self._everybody)
        self._memory_index = MemoryIndex()

    def names(self) -> list[str]:
        """The localparts of all rooms, sorted."""
        return sorted({*tuple(self._live), *self._driver.users(self.domain, STORE)})

    def live(self) -> list[str]:
        """The rooms that may have occupants."""
        return sorted(self._live)

    def names_after(self, last: str) -> Iterator[str]:
        """The localparts of the rooms after this one, in order, read as far as they are asked for."""
        live = self.live()
        return (name for name, _ in groupby(merge(live[bisect_right(live, last) :], self._stored_names(last))))

    def _stored_names(self, last: str = "") -> Iterator[str]:
        while names := self._driver.users_page(self.domain, STORE, after=last, limit=BATCH):
            yield from names
            last = names[-1]

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

    def views(self, names: Iterable[str]) -> Iterator[Room]:
        """The rooms of these names that still exist, for reading, many with one read: those in the storage do not name their users.

        One that is in memory is held while the caller works on it.
        """
        for some in _batches(names):
            stored = [name for name in some if name not in self._live]
            tables = dict(zip(stored, self._tables(stored), strict=True))
            for name in some:
                if name in self._live or name not in tables:
                    yield from self.each([name])
                elif (room := without_users(JID(name, self.domain, ""), tables[name])) is not None:
                    yield room

    def _tables(self, names: Sequence[str]) -> list[object]:
        """The tables of rooms. Raises StorageError."""
        tables = self._driver.bulk_read([Place(name, self.domain, STORE, "keyval") for name in names])
        for table in tables:
            if isinstance(table, Exception):
                raise table
        return list(tables)

    def _everybody(self) -> Iterator[list[tuple[str, frozenset[JID]]]]:
        for names in _batches(self._stored_names()):
            rooms = (from_table(JID(name, self.domain, ""), table) for name, table in zip(names, self._tables(names), strict=True))
            yield [(room.jid.local, room.users) for room in rooms if room is not None]

    def stored_until(self, when: float) -> list[str]:
        """The rooms that were last entered or left at this time (Unix) or before, as far as the storage knows, or memory of other rooms."""
        temporary = [name for name, room in tuple(self._live.items()) if not room.stored and room.used <= when]
        return sorted({*temporary, *self._driver.users_below(self.domain, STORE, "used", when)})

    def complete_index(self) -> None:
        """Make the index by user if the storage has none. Rooms may be changed meanwhile."""
        self._stored_index.complete()

    def naming(self, user: JID) -> Iterator[Room]:
        """The rooms that name a user, each held while the caller works on it."""
        yield from self._naming(user, self._stored_index.of(user))

    def to_leave(self, user: JID) -> Iterator[Room]:
        """The same, for a caller that removes the user from all of them."""
        with self._stored_index.emptied(user) as stored:
            yield from self._naming(user, stored)

    def _naming(self, user: JID, stored: Sequence[str]) -> Iterator[Room]:
        for name in sorted({*stored, *self._memory_index.of(user)}):
            try:
                with self.held(name) as room:
                    if room.has_named(user):
                        yield room
                    else:  # since a crash
                        self._stored_index.remove([user], name)
            except GatewayError as e:
                if e.name != "room-unknown":
                    raise
                self._forget_entry(user, name)

    def _forget_entry(self, user: JID, name: str) -> None:
        """Remove an entry of the index whose room does not exist."""
        with self._order(name):
            if name not in self._live and self._load(name) is None:
                self._stored_index.remove([user], name)

    def make(self, name: str, options: dict[str, str], affiliations: dict[JID, Affiliation], *, configured: bool = True) -> None:
        """Make a room. Raises GatewayError: room-exists, rooms-full. Of two calls at once exactly one succeeds."""
        now = self.clock()
        room = Room(JID(name, self.domain, ""), now, now, {**self._defaults, **options}, affiliations, configured=configured)
        with self._order(name):
            if name in self._live or self._driver.load(name, self.domain, STORE) is not None:
                raise GatewayError("room-exists")
            if len(self._live) >= MAX_ROOMS:
                raise GatewayError("rooms-full")
            self.history.forget(room)  # of a room of this name whose removal a crash interrupted
            room.history = deque(maxlen=self.history.size)
            self._live[name] = room
        with room.lock:
            if not room.gone:
                self._save_new(room)
                self._unload(room)

    def adopt(self, room: Room | None) -> None:
        """Hold a room that is not persistent, as the process that has held it before hands it over."""
        if room is None:
            return
        room.stored, room.indexed = False, frozenset()
        with self._order(room.jid.local):
            if self._live.setdefault(room.jid.local, room) is room:
                self._memory_index.put(room.jid.local, room.users)

    def _save_new(self, room: Room) -> None:
        """Store a room that is being made; if that fails there is none, unless somebody is in it already."""
        try:
            self.save(room)
        except StorageError:
            if not room.occupants:
                room.gone = True
                self._live.pop(room.jid.local, None)
            raise

    def save(self, room: Room) -> None:
        """Store the room if it is persistent."""
        users = room.users
        kept = users if room.persistent else frozenset()
        self._stored_index.add(kept - room.indexed, room.jid.local)
        if room.persistent:
            self._driver.store(room.jid.local, self.domain, STORE, to_table(room))
        elif room.stored:
            self._driver.store(room.jid.local, self.domain, STORE, None)
            room.vacant_since = time.monotonic()
        room.stored = room.persistent
        self._memory_index.put(room.jid.local, users - kept)
        self._forget_users(room, room.indexed - kept)
        room.indexed = kept

    def _forget_users(self, room: Room, users: frozenset[JID]) -> None:
        """Remove the room from the index of these users. The room is stored already, so a failure is only logged."""
        try:
            self._stored_index.remove(users, room.jid.local)
        except StorageError as e:
            log.info("the index of rooms names users whom %s does not, until it is read: %s", room.jid, e)

    def end(self, room: Room) -> None:
        """Remove the room with its history."""
        if room.stored:
            self._driver.store(room.jid.local, self.domain, STORE, None)
        self.history.forget(room)
        self._forget_users(room, room.indexed)
        self._memory_index.put(room.jid.local, frozenset())
        room.gone = True  # not before: if the storage fails, the room still exists
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
        self._live.pop(room.jid.local, None)

    def _find(self, name: str) -> Room | None:
        room = self._live.get(name)
        if room is not None or not name:
            return room
        with self._order(name):
            room = self._live.get(name)
            if room is None and (room := self._load(name)) is not None:
                self._live[name] = room
            return room

    def _load(self, name: str) -> Room | None:
        return from_table(JID(name, self.domain, ""), self._driver.load(name, self.domain, STORE))

    def _order(self, name: str) -> OrderLock:
        return self._orders.of(name)


def _is_vacant(room: Room, until: float) -> bool:
    return not room.persistent and not room.occupants and not room.subscribers and room.vacant_since <= until


def _batches(names: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(names)
    while some := list(islice(rest, BATCH)):
        yield some
