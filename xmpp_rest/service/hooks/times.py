"""Times in what is said of hooks: ISO 8601."""

from __future__ import annotations

import math
from datetime import UTC, datetime

END = 253_402_300_799  # 9999-12-31T23:59:59Z, the last second that can be written


def write_time(when: float) -> str:
    """A Unix time in UTC, with milliseconds where there are any."""
    moment = datetime.fromtimestamp(math.floor(when * 1000) / 1000, UTC)
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds").replace("+00:00", "Z")


def read_time(text: str) -> float:
    """The Unix time of a date and a time, in UTC if there is no offset. Raises ValueError."""
    if len(text) > 40 or len(text) < 16 or text[10] not in "Tt ":
        raise ValueError("a time is written as 2026-12-24T18:00:00Z")
    moment = datetime.fromisoformat(text)
    when = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not 0 <= when <= END:
        raise ValueError("a time is one between 1970 and 9999")
    return when
