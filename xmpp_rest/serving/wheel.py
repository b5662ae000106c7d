"""Deadlines of many connections, kept to the second: to move one costs nothing, and a connection that ends leaves nothing behind."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from typing import Generic, Protocol, TypeVar

log = logging.getLogger("xmpp_rest.server")


class Overdue(Protocol):
    """What has a deadline."""

    due: float | None
    """Monotonic time; None: there is no deadline now."""
    slot: int
    """Where the wheel has it; 0: nowhere. For the wheel alone."""

    def overdue(self) -> None:
        """Its deadline has passed."""


T = TypeVar("T", bound=Overdue)


class Wheel(Generic[T]):
    """Used by one thread at a time."""

    def __init__(self) -> None:
        self._slots: defaultdict[int, set[T]] = defaultdict(set)
        self._turned = int(time.monotonic())

    def set(self, item: T, due: float) -> None:
        """Give an item this deadline, in place of any other."""
        item.due = due
        slot = max(int(due), self._turned) + 1
        if item.slot == 0 or item.slot > slot:  # else it is looked at before, and put where it belongs by then
            self.remove(item)
            item.slot = slot
            self._slots[slot].add(item)

    def remove(self, item: T) -> None:
        """Forget an item."""
        if item.slot:
            found = self._slots[item.slot]
            found.discard(item)
            if not found:
                del self._slots[item.slot]
            item.slot = 0

    def turn(self) -> None:
        """Call `overdue` of all items whose deadline has passed."""
        now = time.monotonic()
        while self._turned < int(now):
            self._turned += 1
            for item in self._slots.pop(self._turned, ()):
                item.slot = 0
                if item.due is None:
                    continue
                if item.due > now:
                    self.set(item, item.due)
                else:
                    item.due = None
                    self._end(item)

    @staticmethod
    def _end(item: T) -> None:
        try:
            item.overdue()
        except Exception:
            log.exception("a deadline could not be kept")
