"""C1 to C4, If-Match on a missing resource, and the fields that validators make."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from tests.http.conftest import Ask
from xmpp_rest.http.dates import parse_http_date

READS = ["GET", "HEAD"]
WRITES = ["PUT", "POST", "PATCH", "DELETE"]
STRONG, WEAK = {"generate_etag": '"7"'}, {"generate_etag": 'W/"7"'}
THEN = datetime(2012, 9, 21, 22, 36, 14, 700_000, tzinfo=timezone(timedelta(hours=2)))
AT, BEFORE, AFTER = (f"Fri, 21 Sep 2012 20:36:{second} GMT" for second in (14, 13, 15))
DATED = {"last_modified": THEN}
FUTURE = "Fri, 01 Jan 2200 00:00:00 GMT"


@pytest.mark.parametrize(
    ("tag", "field"),
    [
        (None, None),
        ('"7"', '"7"'),
        ('W/"7"', 'W/"7"'),
        ('""', '""'),
        ('"!#~,é"', '"!#~,é"'),
        (("strong", "7"), '"7"'),
        (("weak", "7"), 'W/"7"'),
        (("strong", ""), '""'),
    ],
)
@pytest.mark.parametrize("method", READS)
def test_etag(ask: Ask, tag: Any, field: str | None, method: str) -> None:
    response = ask({"generate_etag": tag}, method)
    assert (response.status_code, response.headers.get("ETag")) == (200, field)


@pytest.mark.parametrize(
    "tag", ["7", '7"', '"7', '"a b"', '"a"b"', 'w/"7"', "W/7", 'W/ "7"', '"\t"', '"7"\n', ("strong", "a b"),
            ("strong", '"7"'), ("other", "7"), ("strong",), ("strong", 7), ["strong", 7], 7, b'"7"', False, ""],
)  # fmt: skip
@pytest.mark.parametrize("headers", [{}, {"If-Match": '"7"'}, {"If-None-Match": '"7"'}])
def test_what_is_no_entity_tag_is_a_programming_error(ask: Ask, tag: Any, headers: Any) -> None:
    response = ask({"generate_etag": tag}, headers=headers)
    assert (response.status_code, response.headers.get("ETag")) == (500, None)


def test_a_tag_past_latin_1_goes_as_utf_8_and_comes_back_so(ask: Ask) -> None:
    on_the_wire = ask({"generate_etag": ("strong", "Ж")}).headers["ETag"].encode("latin-1")
    assert on_the_wire == '"Ж"'.encode()
    back = {"If-None-Match": on_the_wire.decode("latin-1")}
    assert ask({"generate_etag": '"Ж"'}, headers=back).status_code == 304


@pytest.mark.parametrize("method", [*WRITES, "OPTIONS"])
def test_no_validator_is_asked_for_or_sent_where_it_is_not_listed(ask: Ask, method: Any) -> None:
    answers = {name: AssertionError(name) for name in ("generate_etag", "last_modified", "expires")}
    response = ask(answers, method)
    assert response.status_code in (200, 204)
    assert not {"ETag", "Last-Modified", "Expires"} & set(response.headers.keys())


@pytest.mark.parametrize("method", READS)
def test_last_modified_and_expires(ask: Ask, method: str) -> None:
    response = ask({"last_modified": THEN, "expires": THEN}, method)
    assert response.headers["Last-Modified"] == AT
    assert response.headers["Expires"] == AT
    assert ask({"expires": "0"}, method).headers["Expires"] == "0"
    response = ask({"last_modified": None, "expires": None}, method)
    assert "Last-Modified" not in response.headers
    assert "Expires" not in response.headers


@pytest.mark.parametrize("value", [datetime(2012, 1, 1), "yesterday", 5])
@pytest.mark.parametrize("callback", ["last_modified", "expires"])
def test_what_is_no_aware_date_is_a_programming_error(ask: Ask, callback: str, value: Any) -> None:
    expected = 200 if (callback, value) == ("expires", "yesterday") else 500
    assert ask({callback: value}).status_code == expected


def test_last_modified_in_the_future_is_now(ask: Ask) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    sent = parse_http_date(ask({"last_modified": datetime(2200, 1, 1, tzinfo=UTC)}).headers["Last-Modified"])
    assert sent is not None
    assert before <= sent <= datetime.now(UTC)


class TestIfMatch:
    @pytest.mark.parametrize("method", READS + WRITES)
    @pytest.mark.parametrize(
        ("answers", "field", "holds"),
        [
            *((STRONG, field, True) for field in ['"7"', '"6", "7"', ',"6",,"7",', "*", " * "]),
            ({}, "*", True),
            (WEAK, "*", True),
            (STRONG, '"6"', False),
            (STRONG, 'W/"7"', False),
            (WEAK, 'W/"7"', False),
            (WEAK, '"7"', False),
            ({}, '"7"', False),
            ({"generate_etag": None}, '"7"', False),
            ({"generate_etag": '"a,b"'}, '"a,b"', True),
            ({"generate_etag": '"*"'}, '"*"', True),
            ({"generate_etag": '"7"'}, '"*"', False),
        ],
    )
    def test_holds(self, ask: Ask, method: str, answers: Any, field: str, holds: bool) -> None:
        response = ask(answers, method, {"If-Match": field})
        assert (response.status_code < 300) if holds else (response.status_code == 412)
        assert ("Last-Modified" in response.headers) is False

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    @pytest.mark.parametrize(
        "field", ["7", '"7', '7"', '*, "7"', '"7", *', "", ",", ' , ,', '"7" "8"', 'w/"7"', '"a b"', '"7";', "W/", "**"]
    )
    @pytest.mark.parametrize("name", ["If-Match", "If-None-Match"])
    def test_malformed(self, ask: Ask, method: str, field: str, name: str) -> None:
        response = ask({"accept": AssertionError(), "delete_resource": AssertionError(), **STRONG}, method,
                       {name: field})  # fmt: skip
        assert response.status_code == 400

    def test_malformed_only_when_the_step_is_reached(self, ask: Ask) -> None:
        assert ask({**STRONG, "resource_exists": False}, headers={"If-Match": "bad"}).status_code == 404
        assert ask({"forbidden": True}, headers={"If-Match": "bad"}).status_code == 403
        assert ask(STRONG, headers={"If-Match": '"6"', "If-None-Match": "bad"}).status_code == 412
        assert ask(STRONG, "PUT", {"If-Match": "bad"}).status_code == 400
        assert ask({"content_types_accepted": []}, "PUT", {"If-Match": "bad"}).status_code == 415

    @pytest.mark.parametrize("field", ["*", '"7"'])
    def test_beats_if_unmodified_since(self, ask: Ask, field: str) -> None:
        response = ask({**STRONG, "last_modified": THEN}, headers={"If-Match": field, "If-Unmodified-Since": BEFORE})
        assert response.status_code == 200

    def test_goes_on_to_if_none_match(self, ask: Ask) -> None:
        assert ask(STRONG, headers={"If-Match": '"7"', "If-None-Match": '"7"'}).status_code == 304


class TestIfUnmodifiedSince:
    @pytest.mark.parametrize("method", READS + WRITES)
    @pytest.mark.parametrize(
        ("answers", "field", "holds"),
        [
            (DATED, AT, True),
            (DATED, AFTER, True),
            (DATED, BEFORE, False),
            (DATED, FUTURE, True),
            (DATED, "garbage", True),
            (DATED, f"{BEFORE}, {BEFORE}", True),
            ({}, BEFORE, True),
            ({"last_modified": None}, BEFORE, True),
        ],
    )
    def test_holds(self, ask: Ask, method: str, answers: Any, field: Any, holds: bool) -> None:
        status = ask(answers, method, {"If-Unmodified-Since": field}).status_code
        assert (status < 300) if holds else (status == 412)

    def test_last_modified_is_not_asked_for_an_invalid_date(self, ask: Ask) -> None:
        answers = {"last_modified": AssertionError()}
        assert ask(answers, "PUT", {"If-Unmodified-Since": "garbage"}).status_code == 204


class TestIfNoneMatch:
    @pytest.mark.parametrize(
        ("answers", "field", "matches"),
        [
            (STRONG, '"7"', True),
            (STRONG, 'W/"7"', True),
            (WEAK, '"7"', True),
            (WEAK, 'W/"7"', True),
            (STRONG, '"6", W/"7"', True),
            (STRONG, "*", True),
            ({}, "*", True),
            (STRONG, '"6"', False),
            (STRONG, 'W/"6"', False),
            ({}, '"7"', False),
            ({"generate_etag": None}, '"7"', False),
        ],
    )
    @pytest.mark.parametrize("method", READS + WRITES)
    def test_matches(self, ask: Ask, method: str, answers: Any, field: str, matches: bool) -> None:
        status = ask(answers, method, {"If-None-Match": field}).status_code
        if not matches:
            assert status in (200, 204)
        else:
            assert status == (304 if method in READS else 412)

    @pytest.mark.parametrize("field", ['"6"', '"7"'])
    def test_beats_if_modified_since(self, ask: Ask, field: str) -> None:
        response = ask({**STRONG, **DATED}, headers={"If-None-Match": field, "If-Modified-Since": AT})
        assert response.status_code == (304 if field == '"7"' else 200)

    def test_other_methods_that_a_class_allows_are_writes(self, ask: Ask) -> None:
        answers = {"known_methods": ["REPORT"], "allowed_methods": ["REPORT"]}
        assert ask(answers, "REPORT", {"If-None-Match": "*"}).status_code == 412


class TestIfModifiedSince:
    @pytest.mark.parametrize("method", READS)
    @pytest.mark.parametrize(
        ("answers", "field", "status"),
        [
            (DATED, AT, 304),
            (DATED, AFTER, 304),
            *((DATED, field, 200) for field in [BEFORE, FUTURE, "garbage", "", f"{AFTER}, {AFTER}"]),
            ({}, AT, 200),
            (DATED, "Friday, 21-Sep-12 20:36:14 GMT", 304),
            (DATED, "Fri Sep 21 20:36:14 2012", 304),
            (DATED, "Fri, 21 Sep 2012 20:36:14 +0000", 200),
            (DATED, "2012-09-21T20:36:14Z", 200),
        ],
    )
    def test_not_modified(self, ask: Ask, method: str, answers: Any, field: Any, status: int) -> None:
        assert ask(answers, method, {"If-Modified-Since": field}).status_code == status

    @pytest.mark.parametrize("method", WRITES)
    def test_is_for_reading_only(self, ask: Ask, method: str) -> None:
        assert ask(DATED, method, {"If-Modified-Since": AFTER}).status_code == 204


@pytest.mark.parametrize("method", READS)
@pytest.mark.parametrize("condition", [{"If-None-Match": '"7"'}, {"If-Modified-Since": AT}])
def test_304(ask: Ask, method: str, condition: Any) -> None:
    def init(self: Any) -> None:
        self.response.headers["Cache-Control"] = "max-age=60"
        self.response.headers["Content-Location"] = "/thing/1.txt"
        self.response.data = b"nothing of this"

    answers = {
        **STRONG, **DATED, "expires": "0", "init": init, "languages_provided": ["en", "de"],
        "ranges_provided": [("bytes", "auto")], "to_text": AssertionError(),
    }  # fmt: skip
    response = ask(answers, method, {**condition, "Range": "bytes=0-1"})
    assert (response.status_code, response.data) == (304, b"")
    expected = {"ETag": '"7"', "Expires": "0", "Vary": "Accept-Language", "Accept-Ranges": "bytes",
                "Cache-Control": "max-age=60", "Content-Location": "/thing/1.txt"}  # fmt: skip
    assert {name: response.headers.get(name) for name in expected} == expected
    unwanted = ("Content-Type", "Content-Language", "Content-Length", "Content-Range")
    assert not set(unwanted) & set(response.headers.keys())


class TestOnAMissingResource:
    MISSING = {"resource_exists": False, "generate_etag": AssertionError(), "last_modified": AssertionError()}

    @pytest.mark.parametrize("field", ["*", '"7"', "bad", ""])
    @pytest.mark.parametrize(
        ("answers", "method", "status"),
        [
            ({}, "GET", 404),
            ({}, "DELETE", 404),
            ({}, "PATCH", 404),
            ({"previously_existed": True}, "GET", 410),
            ({"previously_existed": True, "moved_permanently": "/new"}, "GET", 301),
            ({"previously_existed": True, "moved_temporarily": "/new"}, "GET", 307),
            ({"moved_permanently": "/new"}, "PUT", 301),
            ({"allow_missing_post": False}, "POST", 404),
            ({"accept": AssertionError(), "is_conflict": AssertionError()}, "PUT", 412),
            ({"accept": AssertionError()}, "POST", 412),
            ({"content_types_accepted": None}, "PUT", 415),
            ({"content_types_accepted": None}, "POST", 415),
        ],
    )
    def test_if_match_fails_only_where_the_request_would_have_written(self, ask: Ask, answers: Any, method: str, status: int, field: str) -> None:
        assert ask({**self.MISSING, **answers}, method, {"If-Match": field}).status_code == status

    @pytest.mark.parametrize(
        "headers", [{"If-None-Match": "*"}, {"If-None-Match": "bad"}, {"If-Unmodified-Since": BEFORE}, {"If-Modified-Since": AFTER}],
    )  # fmt: skip
    def test_the_others_hold(self, ask: Ask, headers: Any) -> None:
        assert ask(self.MISSING, "PUT", headers).status_code == 201
        assert ask(self.MISSING, "GET", headers).status_code == 404
