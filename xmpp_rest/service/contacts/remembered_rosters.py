"""Rosters that were read lately: who is told of an account's presence is not read from the storage at each change (decision 0043).

A write by this machine's processes counts at once; one by another program, which tells nobody, within SECONDS.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from drivers import Driver, Table
from xmpp_rest.protocol.jid import JID

SECONDS = 2.0  # for which a roster is remembered without a look, though nobody is known to have written it
MOST = 50_000  # contacts of all rosters that a process remembers, about 0.5 KB each
WEIGHT = 10  # contacts that take as much memory as what a roster takes without any


class KnownRoster(NamedTuple):
    """Who sees the account's presence, and whose presence it sees; and the table, where members of it cannot be read alone."""

    told: tuple[JID, ...]
    watched: tuple[JID, ...]
    entries: dict[str, Any] | None


@dataclass(slots=True)
class RememberedRoster:
    known: KnownRoster
    weight: int
    until: float  # monotonic time
    unchanged: Callable[[], bool]
    mark: object | None  # of the storage

    def prolong(self, until: float) -> None:
        """It was found to be good, and is until then."""
        self.until = until


class RememberedRosters:
    """The rosters of accounts. The values are shared: nobody may change one. Methods raise StorageError."""

    def __init__(self, driver: Driver, store: str, read: Callable[[Table | None], KnownRoster]) -> None:
        """`read`: makes what is known out of a table."""
        self._driver = driver
        self._store = store
        self._read = read
        self._entries: OrderedDict[JID, RememberedRoster] = OrderedDict()
        self._weight = 0  # of all entries
        self._lock = threading.Lock()  # guards the two above

    def get(self, owner: JID) -> KnownRoster:
        """The roster of an account, as remembered or as read now."""
        with self._lock:
            entry = self._entries.get(owner)
            if entry is not None:
                self._entries.move_to_end(owner)
        if entry is not None and entry.unchanged() and self._is_good(owner, entry):
            return entry.known
        return self._load(owner)

    def _is_good(self, owner: JID, entry: RememberedRoster) -> bool:
        now = time.monotonic()
        if now < entry.until:
            return True
        if entry.mark is None or entry.mark != self._mark(owner):
            return False
        entry.prolong(now + SECONDS)
        return True

    def _mark(self, owner: JID) -> object | None:
        return self._driver.mark(owner.local, owner.domain, self._store)

    def _load(self, owner: JID) -> KnownRoster:
        until, mark = time.monotonic() + SECONDS, self._mark(owner)
        unchanged = self._driver.unchanged(owner.local, owner.domain, self._store)
        table = self._driver.load(owner.local, owner.domain, self._store)
        known = self._read(table)
        weight = WEIGHT + (len(known.told) + len(known.watched) if known.entries is None else len(known.entries))
        with self._lock:
            self._forget(owner)
            if unchanged is not None and weight <= MOST:
                self._entries[owner] = RememberedRoster(known, weight, until, unchanged, mark)
                self._weight += weight
            while self._weight > MOST:
                self._forget(next(iter(self._entries)))
        return known

    def _forget(self, owner: JID) -> None:
        entry = self._entries.pop(owner, None)
        if entry is not None:
            self._weight -= entry.weight
