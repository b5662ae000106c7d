"""Tables that were read lately, and are not read again while nobody has written them (decision 0036).

A write by this machine's processes counts at once; one by another program, which tells nobody, within a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, TypeVar

from drivers import Driver, Place, Table

T = TypeVar("T")
SECONDS = 1.0  # for which a table is remembered, though nobody is known to have written it
MOST = 10_000  # tables remembered by each process, about 1 KB each
LONGEST = 4096  # characters of such a table; an account's owner may have written more into its record


class Remembered(NamedTuple, Generic[T]):
    value: T
    until: float  # monotonic time
    unchanged: Callable[[], bool]


class RememberedTables(Generic[T]):
    """What `read` makes of the tables of one store. The values are shared: nobody may change one. Methods raise StorageError.

    Tables that are not there, or of which `read` makes None, are not remembered, so that a new account or token is good at once.
    """

    def __init__(self, driver: Driver, store: str, read: Callable[[str, Table], T | None]) -> None:
        """`read` gets the user and the table."""
        self._driver = driver
        self._store = store
        self._read = read
        self._entries: dict[tuple[str, str], Remembered[T]] = {}

    def get(self, user: str, host: str) -> T | None:
        """The value, as remembered or as read now; None without one."""
        entry = self._entries.get((user, host))
        if entry is not None and entry.unchanged() and time.monotonic() < entry.until:
            return entry.value
        return self.read(user, host)

    def read(self, user: str, host: str) -> T | None:
        """The value as the storage has it now."""
        until, unchanged = time.monotonic() + SECONDS, self._driver.unchanged(user, host, self._store)
        return self._remember((user, host), self._driver.load(user, host, self._store), until, unchanged)

    def prepare(self, users: Iterable[str], host: str) -> None:
        """Read the tables of these users together, which are about to be asked for one by one."""
        until = time.monotonic() + SECONDS
        old = [user for user in users if not self._is_remembered(user, host)]
        unchanged = [self._driver.unchanged(user, host, self._store) for user in old]
        tables = self._driver.bulk_read([Place(user, host, self._store, "keyval") for user in old])
        for user, table, same in zip(old, tables, unchanged, strict=True):
            if not isinstance(table, Exception):
                self._remember((user, host), table, until, same)

    def _is_remembered(self, user: str, host: str) -> bool:
        entry = self._entries.get((user, host))
        return entry is not None and entry.unchanged() and time.monotonic() < entry.until

    def _remember(self, key: tuple[str, str], table: Table | None, until: float, unchanged: Callable[[], bool] | None) -> T | None:
        value = None if table is None else self._read(key[0], table)
        if value is None or unchanged is None or len(str(table)) > LONGEST:
            self._entries.pop(key, None)
            return value
        if len(self._entries) >= MOST:
            self._entries.clear()
        self._entries[key] = Remembered(value, until, unchanged)
        return value
