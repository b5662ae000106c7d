"""N5 and N6, and what else follows from negotiation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.http.conftest import Ask


@pytest.mark.parametrize(
    ("units", "field"),
    [([("bytes", "auto")], "bytes"), ([("bytes", "auto"), ("Chapters", "to_chapters")], "bytes, Chapters"), ([], "none"), (None, None)],
)
@pytest.mark.parametrize(("method", "exists"), [("GET", True), ("HEAD", True), ("DELETE", True), ("GET", False)])
def test_accept_ranges(ask: Ask, units: Any, field: str | None, method: str, exists: bool) -> None:
    response = ask({"ranges_provided": units, "resource_exists": exists}, method)
    assert response.headers.get("Accept-Ranges") == field


TWO_TYPES = [("text/plain", "to_text"), ("text/html", "to_text")]


@pytest.mark.parametrize(
    ("answers", "field"),
    [
        ({}, None),
        ({"variances": []}, None),
        ({"content_types_provided": TWO_TYPES}, "Accept"),
        ({"languages_provided": ["en"]}, None),
        ({"languages_provided": ["en", "de"]}, "Accept-Language"),
        ({"charsets_provided": ["utf-8"]}, None),
        ({"charsets_provided": ["utf-8", "us-ascii"]}, "Accept-Charset"),
        ({"content_types_provided": [("text/plain;charset=utf-8", "to_text")], "charsets_provided": ["utf-8", "us-ascii"]}, None),
        (
            {
                "content_types_provided": TWO_TYPES,
                "languages_provided": ["en", "de"],
                "charsets_provided": ["utf-8", "us-ascii"],
                "variances": ["Cookie", "accept", "COOKIE", "X-Thing"],
            },
            "Accept, Accept-Language, Accept-Charset, Cookie, X-Thing",
        ),
        ({"variances": ["Cookie", "*"], "content_types_provided": TWO_TYPES}, "*"),
        ({"variances": ("Authorization",)}, "Authorization"),
    ],
)
def test_vary(ask: Ask, answers: Any, field: str | None) -> None:
    assert ask(answers).headers.get("Vary") == field
    assert ask({**answers, "resource_exists": False}).headers.get("Vary") == field
    assert ask({**answers, "generate_etag": '"1"'}, headers={"If-None-Match": "*"}).headers.get("Vary") == field


def test_vary_keeps_what_a_callback_wrote(ask: Ask) -> None:
    def init(self: Any) -> None:
        self.response.headers["Vary"] = "Origin, Accept"

    assert ask({"init": init}).headers["Vary"] == "Origin, Accept"
    both = {"init": init, "content_types_provided": TWO_TYPES, "variances": ["Cookie"]}
    assert ask(both).headers.get_all("Vary") == ["Accept, Cookie, Origin"]


def test_vary_comes_after_a_406(ask: Ask) -> None:
    response = ask({"content_types_provided": TWO_TYPES, "languages_provided": []})
    assert (response.status_code, response.headers.get("Vary")) == (406, None)


@pytest.mark.parametrize(
    ("answers", "headers", "status"),
    [
        ({"languages_provided": ["en"]}, {"Accept": "image/png", "Accept-Language": "419"}, 406),
        ({"languages_provided": ["en"]}, {"Accept": "bad", "Accept-Language": "de"}, 400),
        ({"languages_provided": ["en"], "charsets_provided": []}, {"Accept-Language": "419"}, 400),
        ({"languages_provided": ["en"], "charsets_provided": ["x"]}, {"Accept-Charset": "@"}, 400),
    ],
)
def test_the_first_field_that_fails_decides(ask: Ask, answers: Any, headers: Any, status: int) -> None:
    assert ask(answers, headers=headers).status_code == status


def test_an_error_body_is_in_no_negotiated_language(ask: Ask) -> None:
    response = ask({"languages_provided": ["en"], "resource_exists": False})
    assert (response.status_code, response.headers.get("Content-Language")) == (404, None)

    def resource_exists(self: Any) -> Any:
        self.set_body("gone fishing")
        return False

    response = ask({"languages_provided": ["en"], "resource_exists": resource_exists})
    assert (response.status_code, response.headers.get("Content-Language")) == (404, "en")
    assert (response.content_type, response.text) == ("text/plain", "gone fishing")
