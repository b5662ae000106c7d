"""N2 to N6: languages, charsets, and the fields that tell what was negotiated."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.conftest import Ask

ANY_TEXT = ("text", "plain", "*")


@pytest.mark.parametrize(
    ("tags", "field", "chosen"),
    [
        *((["en", "de"], field, "en") for field in [None, "", ",;, ", "*"]),
        (["en", "de"], "de", "de"),
        (["en", "de"], "DE", "de"),
        (["EN-gb"], "en-GB", "EN-gb"),
        (["en-GB"], "en", "en-GB"),
        (["en-GB", "en"], "en", "en-GB"),
        (["en", "de"], "en;q=0.5, de;q=0.8", "de"),
        (["en", "de"], "en;q=0, *", "de"),
        (["en-GB", "de"], "en;q=0, *", "de"),
        (["en-GB", "en-US"], "en, en-GB;q=0.5", "en-US"),
        (["de", "en"], "*;q=0.5, en;q=0.5", "en"),
        (["de", "en"], "en, de", "de"),
        *((["en", "de"], field, "de") for field in ["de;q=0.5;en;q=0.4", "fr;de", "de;q", " de\t;\tQ=0.5 , fr"]),
        (["zh-Hant-TW", "zh-Hans"], "zh-hant", "zh-Hant-TW"),
        (["sr-Latn", "sr"], "sr-Latn-RS, sr;q=0.5", "sr-Latn"),
    ],
)
def test_the_language(ask: Ask, tags: Any, field: str | None, chosen: str) -> None:
    seen = {}

    def to_text(self: Any) -> Any:
        seen["language"] = self.language
        return "x"

    response = ask(
        {"languages_provided": tags, "to_text": to_text}, headers={} if field is None else {"Accept-Language": field}
    )
    assert (response.status_code, response.headers["Content-Language"]) == (200, chosen)
    assert seen["language"] == chosen


@pytest.mark.parametrize(
    ("tags", "field", "status"),
    [
        ([], None, 406),
        ([], "419-bad", 406),
        (["en"], "de", 406),
        (["en"], "en-US", 406),
        (["en-GB"], "en-G", 406),
        (["en"], "en;q=0", 406),
        (["en"], "*;q=0", 406),
        *((["en"], field, 400) for field in ["419-en", "en-*", "ninechars", "en-ninechars", "en;q=2", "en;q=.5", "en;q="]),
        *((["en"], field, 400) for field in ["en; q = 1", "en;q=0.1234", "en;q=1.5", "en de", ";q=1", "en;q=1;q=1", "en_GB"]),
        (["en"], "-", 400),
        (["en"], "en--GB", 400),
    ],
)
def test_no_language(ask: Ask, tags: Any, field: str | None, status: int) -> None:
    headers = {} if field is None else {"Accept-Language": field}
    response = ask({"languages_provided": tags, "charsets_provided": AssertionError()}, headers=headers)
    assert response.status_code == status
    assert "Content-Language" not in response.headers


@pytest.mark.parametrize("answers", [{}, {"languages_provided": None}])
def test_languages_may_be_left_out(ask: Ask, answers: Any) -> None:
    response = ask(answers, headers={"Accept-Language": "419-bad"})
    assert response.status_code == 200
    assert "Content-Language" not in response.headers


@pytest.mark.parametrize(
    ("names", "field", "chosen"),
    [
        (["utf-8", "iso-8859-1"], None, "utf-8"),
        (["utf-8", "iso-8859-1"], "", "utf-8"),
        (["utf-8", "iso-8859-1"], "*", "utf-8"),
        (["utf-8", "iso-8859-1"], "iso-8859-1", "iso-8859-1"),
        (["UTF-8", "ISO-8859-1"], "iso-8859-1", "ISO-8859-1"),
        (["utf-8", "iso-8859-1"], "ISO-8859-1, utf-8;q=0.5", "iso-8859-1"),
        (["utf-8", "iso-8859-1"], "utf-8;q=0, *;q=0.1", "iso-8859-1"),
        (["utf-8", "iso-8859-1"], "iso-8859-1;utf-8;q=0.7,*;q=0.7", "iso-8859-1"),
        (["utf-8", "us-ascii"], "*;q=0.5, us-ascii;q=0.5", "us-ascii"),
    ],
)
def test_the_charset(ask: Ask, names: Any, field: str | None, chosen: str) -> None:
    headers = {} if field is None else {"Accept-Charset": field}
    response = ask({"charsets_provided": names, "to_text": lambda self: self.charset}, headers=headers)
    assert (response.status_code, response.content_type) == (200, f"text/plain; charset={chosen}")
    assert response.data == chosen.encode()


@pytest.mark.parametrize(
    ("names", "field", "status"),
    [
        ([], None, 406),
        ([], "@", 406),
        (["utf-8"], "iso-8859-1", 406),
        (["utf-8"], "utf-8;q=0", 406),
        *((["utf-8"], field, 400) for field in ["@", "utf-8;q=.5", "utf-8;q=7", "utf 8", ";q=0.5"]),
    ],
)
@pytest.mark.parametrize("media_type", ["text/plain", "application/xml"])
def test_no_charset(ask: Ask, names: Any, field: str | None, status: int, media_type: str) -> None:
    answers = {"charsets_provided": names, "content_types_provided": [(media_type, "to_text")]}
    assert ask(answers, headers={} if field is None else {"Accept-Charset": field}).status_code == status


@pytest.mark.parametrize("answers", [{}, {"charsets_provided": None}])
def test_charsets_may_be_left_out(ask: Ask, answers: Any) -> None:
    response = ask(answers, headers={"Accept-Charset": "@"})
    assert (response.status_code, response.content_type) == (200, "text/plain")


def test_only_text_shows_its_charset(ask: Ask) -> None:
    answers = {"charsets_provided": ["utf-16"], "content_types_provided": [("application/json", "to_text")]}
    response = ask({**answers, "to_text": lambda self: '{"charset":"' + self.charset + '"}'})
    assert response.content_type == "application/json"
    assert response.data == b'{"charset":"utf-16"}'


class TestCharsetInTheMediaType:
    @pytest.mark.parametrize("accept", [None, "text/plain", "text/plain;charset=iso-8859-1", "text/*"])
    def test_of_the_entry_settles_it(self, ask: Ask, accept: str | None) -> None:
        answers = {
            "content_types_provided": [("text/plain;charset=ISO-8859-1;format=flowed", "to_text")],
            "charsets_provided": AssertionError(),
            "to_text": lambda self: f"é {self.charset} {self.media_params}",
        }
        response = ask(answers, headers={"Accept-Charset": "@"} | ({"Accept": accept} if accept else {}))
        assert response.content_type == "text/plain; charset=ISO-8859-1; format=flowed"
        assert response.data == "é ISO-8859-1 {'format': 'flowed'}".encode("latin-1")

    def test_of_an_entry_that_is_no_text_does_not(self, ask: Ask) -> None:
        answers = {
            "content_types_provided": [("application/xml;charset=ISO-8859-1", "to_text")],
            "charsets_provided": ["utf-8"],
            "to_text": lambda self: f"{self.charset} {self.media_params}",
        }
        response = ask(answers)
        assert response.content_type == "application/xml; charset=ISO-8859-1"
        assert response.text == "utf-8 {'charset': 'ISO-8859-1'}"

    @pytest.mark.parametrize(
        ("accept", "charset", "params"),
        [
            ("text/plain;charset=UTF-8", "Utf-8", "{}"),
            ("text/plain;charset=us-ascii", "us-ascii", "{}"),
            ('text/*;level=1;charset="us-ascii"', "us-ascii", "{'level': '1'}"),
            ("text/plain;charset=koi8-r, text/plain;charset=us-ascii;q=0.1", "us-ascii", "{}"),
            # none of these settles it, and Accept-Charset decides
            ("text/plain", "Utf-8", "{}"),
            ("*/*;charset=us-ascii", "Utf-8", "{'charset': 'us-ascii'}"),
            ("text/plain;charset=koi8-r, text/plain;q=0.5", "Utf-8", "{}"),
        ],
    )
    def test_of_accept_settles_it(self, ask: Ask, accept: str, charset: str, params: str) -> None:
        answers = {
            "content_types_provided": [(ANY_TEXT, "to_text")],
            "charsets_provided": ["us-ascii", "Utf-8"],
            "to_text": lambda self: f"{self.charset} {self.media_params}",
        }
        response = ask(answers, headers={"Accept": accept, "Accept-Charset": "utf-8"})
        assert (response.status_code, response.text) == (200, f"{charset} {params}")
        assert response.content_type == f"text/plain; charset={charset}"

    def test_of_accept_keeps_accept_charset_unread(self, ask: Ask) -> None:
        answers = {"content_types_provided": [(ANY_TEXT, "to_text")], "charsets_provided": ["utf-8", "us-ascii"]}
        response = ask(answers, headers={"Accept": "text/plain;charset=us-ascii", "Accept-Charset": "@"})
        assert (response.status_code, response.content_type) == (200, "text/plain; charset=us-ascii")
        assert response.headers["Vary"] == "Accept-Charset"
        answers["languages_provided"] = ["en", "de"]
        response = ask(answers, headers={"Accept": "text/plain;charset=us-ascii"})
        assert response.headers["Vary"] == "Accept-Language, Accept-Charset"

    @pytest.mark.parametrize("names", [[], ["us-ascii"]])
    def test_of_accept_that_is_not_provided_does_not_match(self, ask: Ask, names: Any) -> None:
        answers = {"content_types_provided": [(ANY_TEXT, "to_text")], "charsets_provided": names}
        assert ask(answers, headers={"Accept": "text/plain;charset=utf-8"}).status_code == 406

    @pytest.mark.parametrize("answers", [{}, {"charsets_provided": None}])
    def test_of_accept_is_a_parameter_where_there_are_no_charsets(self, ask: Ask, answers: Any) -> None:
        response = ask(
            {"content_types_provided": [(ANY_TEXT, "to_text")], "to_text": lambda self: f"{self.charset} {self.media_params}", **answers},
            headers={"Accept": "text/plain;charset=KOI8-R"},
        )
        assert (response.content_type, response.text) == ("text/plain", "None {'charset': 'koi8-r'}")

    def test_asks_for_the_charsets_once(self, ask: Ask) -> None:
        calls = []

        def charsets_provided(self: Any) -> Any:
            calls.append(1)
            return ["utf-8"]

        answers = {"content_types_provided": [(ANY_TEXT, "to_text")], "charsets_provided": charsets_provided}
        accept = "text/plain;charset=koi8-r, text/plain;q=0.1"
        assert ask(answers, headers={"Accept": accept}).status_code == 200
        assert calls == [1]
