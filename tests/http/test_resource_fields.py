"""The grammars of fields and dates, by properties: nothing a client sends ends in anything but an answer."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.costs import cheap
from tests.http.conftest import Document
from xmpp_rest.http import dates
from xmpp_rest.http.choice import choose_charset, choose_language, choose_type
from xmpp_rest.http.conditional import parse_tags
from xmpp_rest.http.dates import parse_http_date
from xmpp_rest.http.fields import Malformed, parse_accept, parse_charsets, parse_languages, parse_media_type
from xmpp_rest.http.range_field import parse_range, satisfiable

# What may stand in a field by WSGI: Latin-1 without line breaks; the shorter alphabet hits the grammars more often.
PIECES = [*'*/;,=q".-+ \t\\W', "text", "plain", "html", "0", "1", "9", "en", "utf-8", "charset", "bytes", "a"]
FIELDS = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0")) | st.lists(
    st.sampled_from(PIECES)
).map("".join)
TOKENS = st.text(st.sampled_from("abcXYZ019-.+"), min_size=1, max_size=8)
WEIGHTS = st.integers(0, 1000)


def written(weight: Any) -> Any:
    return f"{weight / 1000:.3f}"


class Everything(Document):
    """Looks at every field there is."""

    def allowed_methods(self) -> Any:
        return ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"]

    def content_types_provided(self) -> Any:
        return [("text/plain", "to_text"), (("text", "html", "*"), "to_text"), ("text/a;a=1;b=2", "to_text")]

    def languages_provided(self) -> Any:
        return ["en", "de-AT"]

    def charsets_provided(self) -> Any:
        return ["utf-8", "us-ascii"]

    def ranges_provided(self) -> Any:
        return [("bytes", "auto")]

    def generate_etag(self) -> Any:
        return '"a"'

    def last_modified(self) -> Any:
        return datetime(2020, 1, 1, tzinfo=UTC)

    def content_types_accepted(self) -> Any:
        return [(("text", "plain", [("a", "1")]), "accept"), (("text", "html", "*"), "accept")]


APP = Flask("fields")
APP.add_url_rule("/", view_func=Everything.as_view("everything"))
APP.testing = True
NAMES = ["Accept", "Accept-Language", "Accept-Charset", "If-Match", "If-None-Match", "If-Modified-Since",
         "If-Unmodified-Since", "If-Range", "Range", "Content-Type", "Content-Range"]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"]),
    st.dictionaries(st.sampled_from(NAMES), FIELDS, max_size=4),
)
def test_any_fields_get_an_answer(method: str, fields: Any) -> None:
    environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in fields.items()}
    if "HTTP_CONTENT_TYPE" in environ:
        environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE")
    response = APP.test_client().open("/", method=method, environ_overrides=environ)
    assert response.status_code in {200, 204, 206, 304, 400, 406, 412, 415, 416}
    assert (response.status_code == 206) <= ("Range" in fields)


@settings(deadline=None)
@given(FIELDS)
def test_parsers_answer_or_call_it_malformed(field: str) -> None:
    for parse in (parse_accept, parse_media_type, parse_languages, parse_charsets):
        with contextlib.suppress(Malformed):
            parse(field)
    assert parse_tags(field) is None or parse_tags(field)
    ranges = parse_range(field)
    if ranges is not None and ranges[0] == "bytes":
        for first, last in satisfiable(ranges, 10):
            assert 0 <= first <= last < 10
    parse_http_date(field)


PARAMS = st.dictionaries(TOKENS.map(str.lower).filter(lambda name: name not in ("q", "charset")), TOKENS | st.text(
    st.sampled_from('ab "\\,;='), max_size=5), max_size=3)  # fmt: skip


@given(st.lists(st.tuples(TOKENS, TOKENS, PARAMS, WEIGHTS), min_size=1, max_size=5))
def test_accept_reads_what_is_written(members: Any) -> None:
    def quoted(value: Any) -> Any:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    field = ", ".join(
        f"{main}/{sub}" + "".join(f";{name}={quoted(value)}" for name, value in params.items()) + f";q={written(weight)}"
        for main, sub, params, weight in members
    )
    expected = [(main.lower(), sub.lower(), tuple(params.items()), weight) for main, sub, params, weight in members]  # fmt: skip
    assert [tuple(member) for member in parse_accept(field)] == expected


@given(st.data())
def test_the_order_of_members_never_matters(data: Any) -> None:
    ranges = st.sampled_from(["*/*", "text/*", "text/plain", "text/html", "text/html;a=1", "text/html;a=2", "image/*"])
    members = data.draw(st.lists(st.tuples(ranges, WEIGHTS), min_size=1, max_size=6))
    fields = [f"{name};q={written(weight)}" for name, weight in members]
    types = ("text/plain", ("text", "html", "*"), "image/png")
    straight = choose_type(types, ",".join(fields), None)
    assert straight == choose_type(types, ",".join(data.draw(st.permutations(fields))), None)
    assert straight is None or not straight.entry.essence.startswith("*")


@given(st.lists(st.tuples(st.sampled_from(["*", "en", "en-GB", "de", "fr"]), WEIGHTS), min_size=1, max_size=5), st.data())
def test_the_order_of_languages_never_matters(members: Any, data: Any) -> None:
    fields = [f"{name};q={written(weight)}" for name, weight in members]
    tags = ("en-GB", "de", "en")
    assert choose_language(tags, ",".join(fields)) == choose_language(tags, ",".join(data.draw(st.permutations(fields))))


@given(st.lists(st.tuples(st.sampled_from(["*", "utf-8", "us-ascii"]), WEIGHTS), min_size=1, max_size=5))
def test_a_weight_of_zero_is_never_chosen(members: list[tuple[str, int]]) -> None:
    field = ",".join(f"{name};q={written(weight)}" for name, weight in members)
    weights = dict(sorted(members, key=lambda member: member[1]))
    chosen = choose_charset(("utf-8", "us-ascii"), field)
    if chosen is not None:
        assert weights.get(chosen, weights.get("*", 0)) > 0
    else:
        assert not any(weights.get(name, weights.get("*", 0)) for name in ("utf-8", "us-ascii"))


LONG = ["a/b;" * 20_000, "a/b;c=" + '"' + "\\" * 40_000, " ; " * 20_000, "a" * 60_000, "," * 60_000, "en;" * 20_000]
READERS = [parse_accept, parse_media_type, parse_languages, parse_charsets, parse_tags, parse_range]


@pytest.mark.parametrize("parse", READERS)
@pytest.mark.parametrize("text", LONG, ids=lambda text: text[:6])
def test_long_fields_are_read_in_linear_time(parse: Any, text: Any) -> None:
    def read() -> None:
        with contextlib.suppress(Malformed):
            getattr(parse, "__wrapped__", parse)(f"bytes={text}" if parse is parse_range else text)

    cheap(read, len(text))


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
        ("Sunday, 06-Nov-94 08:49:37 GMT", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
        ("Sun Nov  6 08:49:37 1994", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
        ("Sun Nov 16 08:49:37 1994", datetime(1994, 11, 16, 8, 49, 37, tzinfo=UTC)),
        (" Sun, 06 Nov 1994 08:49:37 GMT\t", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
        ("Sat, 31 Dec 2016 23:59:60 GMT", datetime(2017, 1, 1, tzinfo=UTC)),
        ("Thu, 29 Feb 2024 00:00:00 GMT", datetime(2024, 2, 29, tzinfo=UTC)),
        ("Sun, 06 Nov 1994 08:49:37", None),
        ("Sun, 06 Nov 1994 08:49:37 UTC", None),
        ("Sun, 06 Nov 1994 08:49:37 +0000", None),
        ("Sun, 6 Nov 1994 08:49:37 GMT", None),
        ("sun, 06 nov 1994 08:49:37 gmt", None),
        ("06 Nov 1994 08:49:37 GMT", None),
        ("Sun, 06-Nov-94 08:49:37 GMT", None),
        ("Sunday, 06-Nov-1994 08:49:37 GMT", None),
        ("Sun Nov 6 08:49:37 1994", None),
        ("Sun Nov 06 08:49:37 1994", datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)),
        ("Thu, 30 Feb 2024 00:00:00 GMT", None),
        ("Thu, 00 Feb 2024 00:00:00 GMT", None),
        ("Thu, 29 Feb 2024 24:00:00 GMT", None),
        ("Thu, 29 Feb 2024 23:60:00 GMT", None),
        ("Thu, 29 Feb 2024 23:59:61 GMT", None),
        ("Thu, 01 Jan 0000 00:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:60 GMT", None),
        ("Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", None),
        ("784111777", None),
        ("", None),
    ],
)
def test_http_dates(text: str, instant: Any) -> None:
    assert parse_http_date(text) == instant


@pytest.mark.parametrize(
    ("today", "two_digits", "year"),
    [
        (datetime(2026, 6, 15, 12, tzinfo=UTC), "26", 2026),
        (datetime(2026, 6, 15, 12, tzinfo=UTC), "76", 2076),
        (datetime(2026, 6, 14, 12, tzinfo=UTC), "76", 1976),
        (datetime(2026, 6, 15, 12, tzinfo=UTC), "77", 1977),
        (datetime(2026, 6, 15, 12, tzinfo=UTC), "99", 1999),
        (datetime(2026, 6, 15, 12, tzinfo=UTC), "00", 2000),
        (datetime(2099, 6, 15, 12, tzinfo=UTC), "05", 2105),
        (datetime(2099, 6, 15, 12, tzinfo=UTC), "50", 2050),
    ],
)
def test_two_digit_years_slide(monkeypatch: pytest.MonkeyPatch, today: Any, two_digits: str, year: int) -> None:
    monkeypatch.setattr(dates, "now", lambda: today)
    parsed = parse_http_date(f"Friday, 15-Jun-{two_digits} 12:00:00 GMT")
    assert parsed is not None
    assert parsed.year == year


@given(st.datetimes(datetime(1800, 1, 1), datetime(2400, 1, 1), timezones=st.just(UTC)))
def test_a_date_reads_as_it_was_written(instant: Any) -> None:
    text = dates.write_http_date(instant, "expires")
    assert parse_http_date(text) == instant.replace(microsecond=0)
    assert instant - parse_http_date(text) < timedelta(seconds=1)
