"""May this address try another password for this account? (OWASP: at most so many failures in so long a time)"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

Key = tuple[str, str]  # account as it was named, address of the client


def _alone(key: Key, right: bool) -> None:
    """There is no other process."""


class Throttle:
    """Counts failures per account and address; after `failures` of them within `window` seconds, further attempts wait for its end."""

    REMEMBERED = 20_000  # keys; the oldest are forgotten first, so that a flood of names cannot fill the memory

    def __init__(self, failures: int, window: float = 60.0) -> None:
        self.limit = failures
        self._window = window
        self._failed: OrderedDict[Key, tuple[int, float]] = OrderedDict()  # count, start of the window
        self._lock = Lock()
        self.told: Callable[[Key, bool], None] = _alone
        """Told of each password that counts: for whom, and whether it was right."""

    def wait(self, key: Key) -> int:
        """Seconds until `key` may try again, rounded up; 0: now."""
        if key not in self._failed:  # nearly always
            return 0
        with self._lock:
            count, since = self._failed.get(key, (0, 0.0))
            left = since + self._window - time.monotonic()
            if left <= 0:
                self._failed.pop(key, None)
                return 0
            return int(left) + 1 if count >= self.limit else 0

    def failed(self, key: Key) -> None:
        """A wrong password was given."""
        self.count_failure(key)
        self.told(key, False)

    def count_failure(self, key: Key) -> None:
        """As `failed`; but nobody is told."""
        now = time.monotonic()
        with self._lock:
            count, since = self._failed.pop(key, (0, now))
            if since + self._window <= now:
                count, since = 0, now
            self._failed[key] = (count + 1, since)
            if len(self._failed) > self.REMEMBERED:
                self._failed.popitem(last=False)

    def lift(self, address: str) -> int:
        """Let `address` try again at once, whatever it tried; how many accounts it had failures for."""
        with self._lock:
            keys = [key for key in self._failed if key[1] == address]
            for key in keys:
                del self._failed[key]
        return len(keys)

    def succeeded(self, key: Key) -> None:
        """The right password was given: the count begins anew."""
        if self.forgive(key):
            self.told(key, True)

    def forgive(self, key: Key) -> bool:
        """As `succeeded`; but nobody is told. Whether there was anything to forgive."""
        if key not in self._failed:  # nearly always
            return False
        with self._lock:
            return self._failed.pop(key, None) is not None
