"""Fills the queue of the leader with the hints of what falls due soon."""

from __future__ import annotations

import time

from xmpp_rest.service.scheduled.queue import DueQueue
from xmpp_rest.service.scheduled.store import HOUR, Hint, ScheduledStore

AHEAD = 300.0  # seconds before an hour begins that its hints are read
LOOK = 30.0  # seconds between two looks at the hints, for what nobody has told
SET = 1.0  # seconds by which the clock differs once it counts as set
OVER = 600.0  # seconds after an hour that its hints are removed: longer than it takes to keep a message


class Hints:
    """Reads the hints in the storage, each once. For one thread, but for `told`."""

    def __init__(self, store: ScheduledStore, queue: DueQueue) -> None:
        self._store = store
        self._queue = queue
        self._looked = float("-inf")  # monotonic time
        self._zero = 0.0  # Unix time of the monotonic zero at the last look: it is another one once the clock is set
        self._read: dict[int, int] = {}  # hour → how many of its hints were read
        self._absent: dict[str, Hint] = {}  # whose message is not there: it was removed, or is kept a moment later
        self._looked_for: frozenset[str] = frozenset()  # ids of those that were absent before

    def told(self, hint: Hint) -> None:
        """There is a new message; one that is due later is found in time."""
        if hint.at < time.time() + AHEAD:
            self._queue.add((hint,))

    def absent(self, hint: Hint) -> None:
        """There is no message of this hint; it is looked for once more."""
        if hint.id not in self._looked_for:
            self._absent[hint.id] = hint

    def until_look(self) -> float:
        """Seconds until the next look; 0 if the clock was set."""
        now = time.monotonic()
        was_set = abs(time.time() - now - self._zero) > SET
        return 0.0 if was_set else max(0.0, self._looked + LOOK - now)

    def look(self) -> None:
        """If it is time, read the hints of what is due soon, and remove those of what was long ago. Raises StorageError."""
        if self.until_look():
            return
        self._queue.add(self._absent.values())
        self._absent, self._looked_for = {}, frozenset(self._absent)
        now = time.time()
        for hour in sorted(self._store.hours()):
            if hour * HOUR <= now + AHEAD:
                self._look_at(hour, now)
        self._looked = time.monotonic()
        self._zero = time.time() - self._looked

    def _look_at(self, hour: int, now: float) -> None:
        found = self._store.hints(hour, self._read.get(hour, 0))
        self._queue.add(hint for hint in found if hint is not None)
        self._read[hour] = self._read.get(hour, 0) + len(found)
        end = (hour + 1) * HOUR
        if end + OVER < now and not found and not self._queue.has_before(end):
            self._store.forget_hour(hour)
            del self._read[hour]
