"""Reads the times at which messages are to be sent. Pure: the clock and the zone are arguments."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import Enum

from xmpp_rest.http.dates import parse_http_date

LATE = 60.0  # seconds in the past that are sent at once
DAY = 86_400.0
MAX_TEXT = 100  # characters
FORMS = "90s, 30m, 2h, 1d or 1h30m from now; Unix seconds; ISO 8601, such as 2026-12-24T18:00:00+01:00; an HTTP date"
"""What can be written, for a sentence."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}  # by the first letter
_PART = r"[0-9]{1,9}\s*(?:s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?)"
_DURATION = re.compile(rf"{_PART}(?:[\s,]*{_PART})*", re.IGNORECASE | re.ASCII)
_PARTS = re.compile(r"([0-9]+)\s*([a-z])", re.IGNORECASE | re.ASCII)
_SECONDS = re.compile("[0-9]{9,}")
_ISO = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]((?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?)(?:[.,]([0-9]{1,9}))?"
    r"(?:\s?(Z|[+-][0-9]{2}(?::?[0-5][0-9])?)| ([0-9]{2}:?[0-5][0-9]))?",
    re.IGNORECASE | re.ASCII,
)
_CLOCK = re.compile(r"(?:at\s+)?([0-9]{1,2})(?::([0-5][0-9])(?::([0-5][0-9]))?)?\s*(am|pm)?", re.ASCII)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class TimeFault(Enum):
    """What is wrong with a time."""

    UNREADABLE = "unreadable"
    PAST = "past"
    FAR = "far"


class BadTime(ValueError):
    """A text that does not name a time at which a message can be sent; the sentence tells what would be right."""

    def __init__(self, fault: TimeFault, text: str) -> None:
        self.fault = fault
        super().__init__(text)


def read_time(text: str, now: float, days: int | None = None) -> float:
    """The Unix time that a text names; at most `now` for what is to be sent at once. `now`: Unix time; `days`: how far ahead it may be.

    Raises BadTime: no time, more than LATE seconds in the past, too far ahead.
    """
    text = text.strip()
    when = _when(text, now) if len(text) <= MAX_TEXT else None
    if when is None:
        raise BadTime(TimeFault.UNREADABLE, f"{text[:40]!r} is not a time; write {FORMS}")
    return _in_bounds(when, now, days)


def read_time_of_day(text: str, now: float, zone: tzinfo | None, days: int | None = None) -> float:
    """As `read_time`, for a time of day: `9am`, `21:30`, `tomorrow, 10am`, `friday, 8:15pm`; the next one, if no day is named.

    `zone`: None for that of this computer. Raises BadTime.
    """
    text = text.strip()
    day, clock = _day_and_clock(text.lower()) if len(text) <= MAX_TEXT else ("", None)
    if clock is None:
        raise BadTime(TimeFault.UNREADABLE, f"{text[:40]!r} is not a time of day; write one such as 9am, 21:30, or tomorrow, 10am")
    here = datetime.fromtimestamp(now, zone)

    def on(date: datetime) -> float:
        return datetime.combine(date.date(), clock, zone).timestamp()  # without a zone it is this computer's

    if day in _DAYS:
        ahead = (_DAYS.index(day) - here.weekday()) % 7
        when = on(here + timedelta(days=ahead))
        return _in_bounds(when if when > now else on(here + timedelta(days=ahead + 7)), now, days)
    when = on(here + timedelta(days=day == "tomorrow"))
    if not day and when <= now:
        when = on(here + timedelta(days=1))
    return _in_bounds(when, now, days)


def _in_bounds(when: float, now: float, days: int | None) -> float:
    if when < now - LATE:
        raise BadTime(TimeFault.PAST, f"The time is more than {LATE:g} seconds in the past")
    if days is not None and when > now + days * DAY:
        raise BadTime(TimeFault.FAR, f"The time is more than {days} days ahead, the most that [limits] schedule_days lets")
    return when


def _when(text: str, now: float) -> float | None:
    """The Unix time that a text names; None if it names none."""
    if _DURATION.fullmatch(text):
        return now + sum(int(number) * _UNITS[unit.lower()] for number, unit in _PARTS.findall(text))
    if _SECONDS.fullmatch(text):
        return float(text)
    if match := _ISO.fullmatch(text):
        return _iso(*match.groups())
    moment = parse_http_date(text)
    return None if moment is None else moment.timestamp()


def _iso(day: str, clock: str, fraction: str | None, zone: str | None, bare: str | None) -> float | None:
    offset = f"+{bare}" if bare else (zone or "Z").upper()  # in a query + is a blank
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{offset}")
    except ValueError:
        return None
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() + float(f"0.{fraction or 0}")


def _day_and_clock(text: str) -> tuple[str, time | None]:
    """The day that is named, or "", and the time; None if that is none."""
    first, _, rest = text.replace(",", " ").partition(" ")
    day = first if first in ("today", "tomorrow", *_DAYS) else ""
    return day, _clock(rest.strip() if day else text)


def _clock(text: str) -> time | None:
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    hour, half = int(match[1]), match[4]
    if half is None and match[2] is None:
        return None  # a number alone
    if half is not None:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "pm" else 0)
    return time(hour, int(match[2] or 0), int(match[3] or 0)) if hour < 24 else None
