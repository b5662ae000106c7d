"""Date and time profiles: reads and writes DateTime values (XEP-0082)."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_DATETIME = re.compile(r"(-?[0-9]{4,}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = -62135596800.0, 253402300799.0  # the years 1 to 9999, in UTC: others cannot be written


def parse_datetime(text: str) -> float:
    """The Unix time in seconds. Raises ValueError if the text is not a DateTime (XEP-0082 §3.2)."""
    match = _DATETIME.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a time such as 1969-07-21T02:56:15Z")
    seconds, fraction, zone = match.groups()
    moment = datetime.fromisoformat(seconds + zone)
    when = (moment - _EPOCH).total_seconds() + float(fraction or 0)
    if not _FIRST <= when <= _LAST:
        raise ValueError(f"{text[:40]!r} is in no year from 1 to 9999")
    return when


def write_datetime(when: float) -> str:
    """Unix time in seconds as a DateTime in UTC, with microseconds if there are any."""
    moment = datetime.fromtimestamp(round(when * 1_000_000) // 1_000_000, UTC)
    micro = round(when * 1_000_000) % 1_000_000
    fraction = f".{micro:06}" if micro else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def write_milliseconds(when: float) -> str:
    """Unix time in seconds as a DateTime in UTC, with milliseconds."""
    seconds, milliseconds = divmod(round(when * 1000), 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03}Z"
