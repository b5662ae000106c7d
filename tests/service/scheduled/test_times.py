"""Times at which messages are sent are read in every form, and nothing else is."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from xmpp_rest.service.scheduled.times import BadTime, TimeFault, read_time, read_time_of_day

NOW = datetime(2026, 11, 30, 11, 8, tzinfo=UTC).timestamp()
MOMENT = datetime(2026, 12, 24, 17, tzinfo=UTC).timestamp()
MOMENTS = st.datetimes(datetime(2026, 12, 1), datetime(2199, 1, 1))
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
UNITS = {
    "s": 1,
    "sec": 1,
    "secs": 1,
    "m": 60,
    "min": 60,
    "mins": 60,
    "h": 3600,
    "hour": 3600,
    "hours": 3600,
    "d": 86400,
    "day": 86400,
    "days": 86400,
}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("2h", 7200),
        ("1d", 86400),
        ("1h30m", 5400),
        ("2 days", 172800),
        ("1 Day, 2 Hours", 93600),
        (" 10 MIN ", 600),
        ("0s", 0),
    ],
)
def test_a_duration_counts_from_now(text: str, seconds: int) -> None:
    assert read_time(text, NOW) == NOW + seconds


@given(st.lists(st.tuples(st.integers(0, 999), st.sampled_from(sorted(UNITS)), st.sampled_from(["", " "])), min_size=1, max_size=6))
def test_durations_add_up(parts: list[tuple[int, str, str]]) -> None:
    text = " ".join(f"{number}{blank}{unit}" for number, unit, blank in parts)
    assert read_time(text, NOW) == NOW + sum(number * UNITS[unit] for number, unit, _ in parts)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "2026-12-24T18:00:00+01:00",
            "2026-12-24T17:00:00Z",
            "2026-12-24T17:00:00",
            "2026-12-24 17:00",
            "2026-12-24t17:00:00.000z",
            "1798131600",
        ),
        *("Thu, 24 Dec 2026 17:00:00 GMT", "Thursday, 24-Dec-26 17:00:00 GMT", "Thu Dec 24 17:00:00 2026", "2026-12-24T18:00:00+0100"),
        *("2026-12-24T18:00+01", "2026-12-24 18:00:00 +01:00", "2026-12-24T18:00:00 01:00"),  # the last as a query has it
    ],
)
def test_one_moment_in_all_forms(text: str) -> None:
    assert read_time(text, NOW) == MOMENT


@given(MOMENTS, OFFSETS, st.sampled_from("T "))
def test_what_is_written_with_an_offset_is_read(naive: datetime, offset: timezone, between: str) -> None:
    moment = naive.replace(tzinfo=offset)
    assert read_time(moment.isoformat(between), NOW) == pytest.approx(moment.timestamp(), abs=1e-5)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "soon",
            "90",
            "12345678",
            "-5m",
            "1.5h",
            "5 weeks",
            "1h30",
            "h",
            "2026-12-24",
            "2026-13-01T00:00:00Z",
            "2026-12-24T24:00:00Z",
        ),
        *(
            "2026-02-30T10:00:00Z",
            "2026-12-24T18:0001",
            "Thu, 24 Dec 2026 17:00:00 CET",
            "tomorrow",
            "9am",
            "1ſ",
            "٣0m",
            "9" * 5000,
            "1h " * 50,
        ),
        *("2026-12-24T18:00:00+99:00", "now", "1700000000.5", "1h\x00"),
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(BadTime) as caught:
        read_time(text, NOW)
    assert caught.value.fault is TimeFault.UNREADABLE


def test_a_minute_in_the_past_is_now_and_more_is_an_error() -> None:
    assert read_time(str(int(NOW) - 60), NOW) == NOW - 60
    with pytest.raises(BadTime) as caught:
        read_time(str(int(NOW) - 61), NOW)
    assert caught.value.fault is TimeFault.PAST


def test_too_far_ahead() -> None:
    assert read_time("30d", NOW, 30) == NOW + 30 * 86400
    for text in ("30d1s", "9" * 90, "9999-12-31T23:59:59Z", "999999999d"):
        with pytest.raises(BadTime) as caught:
            read_time(text, NOW, 30)
        assert caught.value.fault is TimeFault.FAR


@given(st.text(max_size=40) | st.text("0123456789smhday:-+TZ ,.", max_size=40))
@example("1d" * 50)
def test_any_text_is_a_time_or_an_error(text: str) -> None:
    for read in (lambda: read_time(text, NOW, 30), lambda: read_time_of_day(text, NOW, UTC, 30)):
        with suppress(BadTime):
            assert NOW - 60 <= read() <= NOW + 30 * 86400


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        *(
            ("9am", 21 + 52 / 60),
            ("11:09", 1 / 60),
            ("11:08", 24),
            ("21:30", 10 + 22 / 60),
            ("9:30 PM", 10 + 22 / 60),
            ("12am", 12 + 52 / 60),
        ),
        *(("12pm", 52 / 60), ("tomorrow, 10am", 22 + 52 / 60), ("Tomorrow 23:59:59", 36 + 3119 / 3600), ("today, 3pm", 3 + 52 / 60)),
        *(("tuesday, 7am", 19 + 52 / 60), ("monday, 7am", 6 * 24 + 19 + 52 / 60), ("monday 1pm", 1 + 52 / 60), ("at 1pm", 1 + 52 / 60)),
    ],
)
def test_times_of_day(text: str, hours: float) -> None:
    assert read_time_of_day(text, NOW, UTC) == pytest.approx(NOW + hours * 3600)


@pytest.mark.parametrize(
    "text", ["", "9", "25:00", "13pm", "0am", "9:60", "tomorrow", "yesterday, 9am", "10am tomorrow", "tomorrow, 90m", "90s"]
)
def test_what_is_no_time_of_day(text: str) -> None:
    with pytest.raises(BadTime) as caught:
        read_time_of_day(text, NOW, UTC)
    assert caught.value.fault is TimeFault.UNREADABLE


def test_a_named_day_is_not_moved() -> None:
    with pytest.raises(BadTime) as caught:
        read_time_of_day("today, 9am", NOW, UTC)
    assert caught.value.fault is TimeFault.PAST


def test_a_time_of_day_is_one_of_the_zone_also_when_clocks_change() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    before = datetime(2026, 10, 24, 20, tzinfo=berlin).timestamp()
    assert read_time_of_day("tomorrow, 9am", before, berlin) == before + 14 * 3600  # of 25 hours
    assert NOW < read_time_of_day("9am", NOW, None) <= NOW + 25 * 3600


@given(st.integers(0, 23), st.integers(0, 59), st.integers(0, 86399))
def test_the_next_time_of_day_is_within_a_day(hour: int, minute: int, second: int) -> None:
    now = NOW + second
    assert now < read_time_of_day(f"{hour}:{minute:02}", now, UTC) <= now + 86400
