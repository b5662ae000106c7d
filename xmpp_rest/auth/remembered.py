"""Tables that were read lately, and are not read again while nobody has written them (decision 0036).

A write by this machine's processes counts at once; one by another program, which tells nobody, within a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from drivers import Driver, Table

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
        table = self._driver.load(user, host, self._store)
        value = None if table is None else self._read(user, table)
        if value is None or unchanged is None or len(str(table)) > LONGEST:
            self._entries.pop((user, host), None)
            return value
        if len(self._entries) >= MOST:
            self._entries.clear()
        self._entries[user, host] = Remembered(value, until, unchanged)
        return value
