"""Which rooms name a user: as a subscriber, or with an affiliation (decision 0042).

For rooms in the storage the index is in the storage too: a list of names for each user. The room's table is authoritative. The list may
name a room too many, for a moment or after a crash, but never one too few: a name is added before the room is stored, and removed after.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from drivers import Content, Driver, Place, Value, Write, derived
from xmpp_rest.protocol.jid import JID
from xmpp_rest.threads.tasks import OrderLock

log = logging.getLogger("xmpp_rest.rooms")

STORE = "muc_rooms"  # by the user's address
VERSION = 1
LONGEST = 80  # characters of an address that is a name in the storage: names of files end at 255 bytes, and one character takes up to three
FEW = 10  # users whose lists get an entry each; those of more are written as a whole, which is faster then
MOST = 50_000  # entries that are made at a time
PART = 5_000  # entries that are written in one transaction: another writer waits for 20 ms
_NOBODY: frozenset[JID] = frozenset()
Everybody = Callable[[], Iterable[Sequence[tuple[str, Collection[JID]]]]]
"""The rooms in the storage, some at a time: the name of each, and the users that it names."""


class StoredIndex:
    """The index of the rooms in the storage. Used by the process that makes all changes. Methods raise StorageError."""

    def __init__(self, driver: Driver, domain: str, everybody: Everybody) -> None:
        self._driver = driver
        self._domain = domain
        self._everybody = everybody
        self._is_whole = False
        self._making = OrderLock()  # held while the index is made
        self._emptying = OrderLock()  # held while a user is removed from all rooms
        self._lock = OrderLock()  # held while lists are written; taken after the other two and after a room's lock, never before
        self._leaving: JID | None = None  # the user who is removed from all rooms: nothing but additions changes the list

    def add(self, users: Collection[JID], room: str) -> None:
        """The room is about to name these users."""
        if len(users) > FEW:
            self._add_all({_key(user): [room] for user in users})
        elif users:
            with self._lock:
                _raise(self._driver.write_all([Write(_key(user), self._domain, STORE, room, appends=True) for user in users]))

    def _add_all(self, names: Mapping[str, Sequence[str]]) -> None:
        """Add rooms to the lists of these names, with one read and one write in drivers that can."""
        with self._lock:
            lists = self._driver.bulk_read([Place(key, self._domain, STORE, "list") for key in names])
            _raise(lists)
            merged = []
            for (key, new), old in zip(names.items(), lists, strict=True):
                before = old if isinstance(old, list) else []
                merged.append(Content(key, self._domain, STORE, "list", [*before, *new], new=not before))
            self._write(merged)

    def _write(self, lists: Iterable[Content]) -> None:
        """Replace lists, in transactions of PART entries. The caller holds the lock."""
        part, size = list[Content](), 0
        for content in lists:
            part.append(content)
            size += 1 + len(content.content or ())
            if size >= PART:
                _raise(self._driver.bulk_write(part))
                part, size = [], 0
        _raise(self._driver.bulk_write(part) if part else ())

    def remove(self, users: Collection[JID], room: str) -> None:
        """The room does not name these users any more."""
        with self._lock:
            keys = [_key(user) for user in users if user != self._leaving]
            if not keys:
                return
            lists = self._driver.bulk_read([Place(key, self._domain, STORE, "list") for key in keys])
            _raise(lists)
            changed = [(key, _without(names, room)) for key, names in zip(keys, lists, strict=True) if isinstance(names, list)]
            self._write(Content(key, self._domain, STORE, "list", names) for key, names in changed)

    def of(self, user: JID) -> list[str]:
        """The rooms that may name this user. The first call makes the index if the storage has none."""
        self.complete()
        return list(dict.fromkeys(self._names(user)))

    def _names(self, user: JID) -> list[str]:
        return [str(name) for name in self._driver.list_load(_key(user), self._domain, STORE) or ()]

    @contextmanager
    def emptied(self, user: JID) -> Iterator[list[str]]:
        """As `of`, for a caller that removes the user from all of these rooms; at the end they leave the list, with one write."""
        self.complete()
        with self._emptying:
            with self._lock:
                self._leaving, names = user, self._names(user)
            try:
                yield list(dict.fromkeys(names))
                with self._lock:
                    if names:
                        self._driver.list_update(_key(user), self._domain, STORE, lambda items: (items or [])[len(names) :])
            finally:
                self._leaving = None

    def complete(self) -> None:
        """Make the index if the storage has none, or one that may lack something. Rooms may be changed meanwhile."""
        if self._is_whole:
            return
        with self._making:
            index = f"{STORE}@{self._domain}"
            if not self._is_whole and not derived.is_whole(self._driver, index, VERSION):
                log.info("the index of the rooms of %s by user is being made", self._domain)
                for some in self._lists():
                    self._add_all(some)
                derived.made(self._driver, index, VERSION)
            self._is_whole = True

    def _lists(self) -> Iterator[dict[str, list[str]]]:
        """What the lists lack if there are none, MOST entries at a time."""
        lists: dict[str, list[str]] = {}
        size = 0
        for some in self._everybody():
            for room, users in some:
                size += len(users)
                for user in users:
                    lists.setdefault(_key(user), []).append(room)
            if size >= MOST:
                yield lists
                lists, size = {}, 0
        yield lists


class MemoryIndex:
    """The same for rooms that are only in memory."""

    def __init__(self) -> None:
        self._users: dict[str, frozenset[JID]] = {}
        self._rooms: dict[JID, set[str]] = {}
        self._lock = threading.Lock()

    def put(self, room: str, users: frozenset[JID]) -> None:
        """The room names these users, and no others."""
        with self._lock:
            before = self._users.pop(room, _NOBODY)
            if users:
                self._users[room] = users
            for user in users - before:
                self._rooms.setdefault(user, set()).add(room)
            for user in before - users:
                self._rooms[user].remove(room)
                if not self._rooms[user]:
                    del self._rooms[user]

    def of(self, user: JID) -> set[str]:
        """The rooms that name this user."""
        with self._lock:
            return set(self._rooms.get(user, ()))


def _key(user: JID) -> str:
    """The name of the user's list."""
    address = str(user)
    if len(address) <= LONGEST and address.isascii():
        return address
    return f"sha256-{hashlib.sha256(address.encode()).hexdigest()}"


def _without(names: Sequence[Value], room: str) -> list[Value]:
    return [name for name in names if name != room]


def _raise(results: Iterable[object]) -> None:
    """Raise the first exception among these."""
    for result in results:
        if isinstance(result, Exception):
            raise result
