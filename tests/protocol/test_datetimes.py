"""DateTime values are read and written as in XEP-0082."""

from __future__ import annotations

import pytest

from xmpp_rest.protocol.datetimes import parse_datetime, write_datetime


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-07-21T02:56:15Z", -14_159_025),
        ("1969-07-20T21:56:15-05:00", -14_159_025),
        ("2023-11-14T22:13:20Z", 1_700_000_000),
        ("2023-11-14T22:13:20.25Z", 1_700_000_000.25),
        (" 2023-11-14T22:13:20.123456789Z\n", 1_700_000_000.123456789),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000),
    ],
)
def test_reading(text: str, when: float) -> None:
    assert parse_datetime(text) == when


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "2023-11-14", "2023-11-14T22:13:20", "2023-11-14 22:13:20Z", "2023-11-14T22:13Z", "2023-11-14T25:13:20Z"),
        *("2023-02-30T00:00:00Z", "20231114T22:13:20", "2023-11-14T22:13:20.Z", "2023-11-14T22:13:20+0100", "-0001-01-01T00:00:00Z"),
        *("12023-11-14T22:13:20Z", "٢٠٢٣-11-14T22:13:20Z"),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "9999-12-31T23:59:59.9999999Z"),  # of no year, in UTC
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError):
        parse_datetime(text)


@pytest.mark.parametrize(
    ("when", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_700_000_000.25, "2023-11-14T22:13:20.250000Z"),
        (1_700_000_000.000001, "2023-11-14T22:13:20.000001Z"),
        (1_700_000_000.9999999, "2023-11-14T22:13:21Z"),
        (-1.5, "1969-12-31T23:59:58.500000Z"),
    ],
)
def test_writing(when: float, text: str) -> None:
    assert write_datetime(when) == text
    assert parse_datetime(text) == pytest.approx(when, abs=1e-6)
