"""Counts what went wrong and was coped with, and logs each kind at most once a minute.

For trouble that a stranger can cause as often as he likes: a stanza that was skipped, an archive that failed after a message was taken.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

QUIET = 60.0  # seconds between two log lines of one kind


class Incidents:
    """One for a process, owned by its gateway. `kind` is a short fixed name such as `stanza-skipped`, never text from outside."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}
        self._logged: dict[str, tuple[float, int]] = {}  # kind → when it was logged last, and the count then

    def report(
        self, log: logging.Logger, kind: str, message: str, *arguments: object, level: int = logging.WARNING, trace: bool = False
    ) -> None:
        """Count one of `kind`; log `message % arguments` if this kind was not logged within the last minute.

        The line says how many came since the last one. `trace` adds the traceback of the exception that is being handled. Never raises.
        """
        with self._lock:
            count = self._counts[kind] = self._counts.get(kind, 0) + 1
            when, before = self._logged.get(kind, (float("-inf"), 0))
            if self._clock() - when < QUIET:
                return
            self._logged[kind] = (self._clock(), count)
        more = f" ({count - before - 1} more since the last line of this kind)" if count - before > 1 else ""
        log.log(level, message + "%s", *arguments, more, exc_info=trace)

    def counts(self) -> dict[str, int]:
        """How many of each kind there were since the start."""
        with self._lock:
            return dict(self._counts)
