"""HTTP dates: reads the three forms, writes the preferred one (RFC 9110 §5.6.7)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from werkzeug.http import http_date

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONG_DAY = "(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)"
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = "(?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9]):(?P<second>[0-5][0-9]|60)"
_FORMS = (
    re.compile(f"{_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT"),
    re.compile(f"{_LONG_DAY}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"),
    re.compile(f"{_DAY} {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} (?P<year>[0-9]{{4}})"),
)


def now() -> datetime:
    """The server's clock, in UTC."""
    return datetime.now(UTC)


def parse_http_date(text: str) -> datetime | None:
    """The instant that one of the three forms of RFC 9110 §5.6.7 names, or ``None`` for anything else."""
    text = text.strip(" \t")
    match = next((found for form in _FORMS if (found := form.fullmatch(text))), None)
    if match is None:
        return None
    month, day, hour, minute = _MONTHS.index(match["month"]) + 1, int(match["day"]), int(match["hour"]), int(match["minute"])
    year = int(match["year"])
    if len(match["year"]) == 2:
        year = _century(year, (month, day, hour, minute))
    try:
        # The second is added apart: 60 is a leap second, which the type cannot hold.
        return datetime(year, month, day, hour, minute, tzinfo=UTC) + timedelta(seconds=int(match["second"]))
    except (ValueError, OverflowError):
        return None


def _century(two_digits: int, rest: tuple[int, int, int, int]) -> int:
    """The latest year ending in ``two_digits`` that is not more than 50 years ahead (RFC 9110 §5.6.7)."""
    today = now()
    limit = (today.year + 50, today.month, today.day, today.hour, today.minute)
    year = (today.year // 100 + 1) * 100 + two_digits
    while (year, *rest) > limit:
        year -= 100
    return year


def as_utc(value: object, callback: str) -> datetime:
    """What ``callback`` returned as whole seconds in UTC.

    Raises TypeError when it is not a datetime, ValueError when it has no time zone.
    """
    if not isinstance(value, datetime):
        raise TypeError(f"{callback} must return an aware datetime, not {type(value).__name__}")
    if value.utcoffset() is None:
        raise ValueError(f"{callback} returned a naive datetime; give it a time zone, such as datetime.UTC")
    return value.astimezone(UTC).replace(microsecond=0)


def write_http_date(value: object, callback: str) -> str:
    """What ``callback`` returned in the preferred form, in GMT. Raises as :func:`as_utc`."""
    return http_date(as_utc(value, callback))
