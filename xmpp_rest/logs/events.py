"""Lines that have a name, and fields under fixed keys."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

_NOBODY = dict.fromkeys(("thread", "threadName", "taskName"))
_SAME: Mapping[str, Any] = logging.LogRecord("", 0, __file__, 0, "", (), None).__dict__ | _NOBODY
"""What records of events have in common: the place in the code, which is the same, and the thread, which says nothing."""


@lru_cache(maxsize=256)
def _same(name: str, level: int, event: str) -> dict[str, Any]:
    """What the records of one event have in common: a copy of it costs half of what it takes to set them one by one."""
    return {**_SAME, "name": name, "levelno": level, "levelname": logging.getLevelName(level), "msg": event, "event": event}


class EventRecord(logging.LogRecord):
    """A record of an event. `logging` takes longer to find the place in the code, the thread and the task than all else takes."""

    def __init__(self, log: logging.Logger, level: int, event: str, created: float | None = None) -> None:
        """`created`: when it happened; None: now."""
        if created is None:
            created = time.time()
        self.__dict__ = _same(log.name, level, event).copy()
        self.created, self.msecs, self.process = created, created % 1 * 1000, os.getpid()

    @property
    def fields(self) -> dict[str, Any]:
        """The fields, by their keys."""
        return {}

    @property
    def pairs(self) -> str | None:
        """The fields as text, if there is a faster way to write them than one by one."""
        return None

    @property
    def members(self) -> str | None:
        """The same as members of a JSON object, the event and the id of the request included."""
        return None


class FieldsRecord(EventRecord):
    """One with any fields."""

    def __init__(self, log: logging.Logger, level: int, event: str, fields: dict[str, Any]) -> None:
        super().__init__(log, level, event)
        self._fields = fields

    @property
    def fields(self) -> dict[str, Any]:
        return self._fields


def say(log: logging.Logger, level: int, event: str, **fields: Any) -> None:
    """Log this event with its fields."""
    if log.isEnabledFor(level):
        log.handle(FieldsRecord(log, level, event, fields))
