"""A list that one owner leaves for the next, who takes it once, and soon (many-machines §11)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from drivers import Driver

LASTS = 60.0  # seconds after which nothing that was left holds any more

Row = dict[str, Any]


class Term(NamedTuple):
    """Of one owner: its epoch, and the time of the storage (Unix)."""

    epoch: int
    now: float


class LeftList:
    """Kept as a list of the domain's own. Methods raise StorageError."""

    def __init__(self, driver: Driver, domain: str, store: str, term: Callable[[], Term]) -> None:
        """`domain`: `[gateway] domain`; `term`: of this process; raises StorageError."""
        self._driver = driver
        self._domain = domain
        self._store = store
        self._term = term

    def leave(self, rows: list[Row]) -> None:
        """Write these down."""
        epoch, now = self._term()
        self._driver.list_store(None, self._domain, self._store, [{"epoch": epoch, "now": now}, *rows])

    def take(self) -> list[Any]:
        """What the owner before this one has written down, if that was just now; it is there no longer, whichever process left it."""
        rows = take_list(self._driver, self._domain, self._store)
        if not rows:
            return []
        epoch, now = self._term()
        match rows[0]:
            case {"epoch": int(former), "now": int() | float() as then} if former + 1 == epoch and now - then < LASTS:
                return list(rows[1:])
        return []


def take_list(driver: Driver, domain: str, store: str) -> list[Any]:
    """What the list has, which is there no longer. Raises StorageError."""
    if rows := driver.list_load(None, domain, store):
        driver.list_store(None, domain, store, [])
    return rows or []
