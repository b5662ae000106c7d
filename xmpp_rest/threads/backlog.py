"""A backlog: what must not wait leaves items, and a thread of a pool handles all that have come, together."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from xmpp_rest.threads.pool import CompletingPool

log = logging.getLogger("xmpp_rest.server")

T = TypeVar("T")


class Backlog(Generic[T]):
    """Has `handle` called with the items in their order, by one thread of the pool at a time. Safe to be used by several threads."""

    def __init__(self, pool: CompletingPool, handle: Callable[[Sequence[T]], None], most: int | None = None) -> None:
        """`most`: so many items wait at most; None: any number."""
        self._pool = pool
        self._most = most
        self._handle = handle
        self._items: list[T] = []
        self._begun = False  # whether a thread handles items, or is about to
        self._lock = threading.Lock()  # guards the two above

    def put(self, item: T) -> None:
        """Leave an item; nothing, if there are too many. Does not wait, as long as the pool has not stopped."""
        self.takes(item)

    def takes(self, item: T) -> bool:
        """As `put`; whether there was room."""
        with self._lock:
            if self._most is not None and len(self._items) >= self._most:
                return False
            self._items.append(item)
            begins, self._begun = not self._begun, True
        if begins:
            self._pool.submit(self._run)
        return True

    def _run(self) -> None:
        while items := self._take():
            try:
                self._handle(items)
            except Exception:  # those that come next are handled
                log.exception("what was left could not be handled")

    def _take(self) -> list[T]:
        with self._lock:
            items, self._items = self._items, []
            self._begun = bool(items)
        return items
