"""R4 and R5: what range_satisfiable and the range callbacks say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.http.conftest import Ask
from tests.http.test_resource_ranges import AUTO, boundary_of, part
from xmpp_rest.http.resource import Resource


@pytest.mark.parametrize(
    ("value", "status", "content_range"),
    [
        (True, 206, "bytes 0-3/10"),
        (False, 416, None),
        (None, 416, None),
        (0, 416, "bytes */0"),
        (1, 416, "bytes */1"),
        (10, 416, "bytes */10"),
        ("*/many", 416, "bytes */many"),
        ("x\r\ny", 500, None),
        (1.5, 500, None),
    ],
)
def test_range_satisfiable(ask: Ask, value: Any, status: int, content_range: str | None) -> None:
    response = ask({**AUTO, "range_satisfiable": value, "expires": "0"}, headers={"Range": "bytes=0-3"})
    assert (response.status_code, response.headers.get("Content-Range")) == (status, content_range)
    assert ("Expires" in response.headers) == (status == 206)


@pytest.mark.parametrize(
    ("field", "seen"),
    [
        ("bytes=8-13", ("bytes", [(8, 13)])),
        ("bytes=8-", ("bytes", [(8, None)])),
        ("bytes=-500", ("bytes", [-500])),
        ("BYTES= 1-2 ,, -3,4-", ("bytes", [(1, 2), -3, (4, None)])),
        ("Chapters=1-3", ("chapters", "1-3")),
        ("chapters=3-1, x", ("chapters", "3-1, x")),
        ("chapters=a=b", ("chapters", "a=b")),
    ],
)
def test_self_range(ask: Ask, field: str, seen: Any) -> None:
    ranges = []

    def range_satisfiable(self: Any) -> Any:
        ranges.append(self.range)
        return False

    units = [("Bytes", "to_part"), ("CHAPTERS", "to_part")]
    response = ask({"ranges_provided": units, "range_satisfiable": range_satisfiable}, headers={"Range": field})
    assert (response.status_code, ranges) == (416, [seen])
    assert response.headers["Accept-Ranges"] == "Bytes, CHAPTERS"


def test_self_range_is_none_where_it_does_not_count(ask: Ask) -> None:
    answers = {**AUTO, "to_text": lambda self: repr(self.range)}
    assert ask(answers, headers={"Range": "chapters=1"}).text == "None"
    assert ask(answers).text == "None"


CHAPTERS = {"ranges_provided": [("chapters", "to_chapters")], "to_text": AssertionError()}


@pytest.mark.parametrize(
    ("parts", "content_range", "data"),
    [
        ([((1, 2, 9), "one two")], "chapters 1-2/9", b"one two"),
        ([((1, 2, None), b"one two")], "chapters 1-2/*", b"one two"),
        ([("I-II/IX", bytearray(b"one two"))], "chapters I-II/IX", b"one two"),
        ([((0, 0, 0), iter([b"one ", b"two"]))], "chapters 0-0/0", b"one two"),
        ((((1, 1, 1), "x"),), "chapters 1-1/1", b"x"),
    ],
)
def test_a_range_callback_with_one_part(ask: Ask, parts: Any, content_range: str, data: bytes) -> None:
    response = ask({**CHAPTERS, "to_chapters": parts, "multiple_choices": AssertionError()},
                   headers={"Range": "chapters=1-2"})  # fmt: skip
    assert (response.status_code, response.data) == (206, data)
    assert (response.headers["Content-Range"], response.content_type) == (content_range, "text/plain")


@pytest.mark.parametrize("stream", [False, True])
def test_a_range_callback_with_several_parts(ask: Ask, stream: bool) -> None:
    parts = [((2, 2, 9), "zwei"), ("1/9", iter([b"o", b"ne"]) if stream else b"one")]
    response = ask({**CHAPTERS, "to_chapters": parts}, headers={"Range": "chapters=2,1"})
    boundary = boundary_of(response)
    assert response.data == part(boundary, "chapters 2-2/9", b"zwei") + part(boundary, "chapters 1/9", b"one", last=True)
    assert "Content-Range" not in response.headers
    assert ("Content-Length" in response.headers) is not stream


@pytest.mark.parametrize(
    "parts",
    [None, [], (), "x", [(1, 2)], [((1, 2), "x")], [((1, 2, 3), 5)], [((1, 2, 3), {"a": 1})], [((1, 2, 3), None)],
     [("a\r\nb", "x")], [("a\r\nb", "x"), ((1, 2, 3), "y")], [(None, "x")], True],
)  # fmt: skip
def test_a_range_callback_that_returns_no_parts_is_a_programming_error(ask: Ask, parts: Any) -> None:
    assert ask({**CHAPTERS, "to_chapters": parts}, headers={"Range": "chapters=1"}).status_code == 500


def test_a_range_callback_is_a_callable_or_a_name(ask: Ask, define: Callable[..., type[Resource]]) -> None:
    def to_chapters() -> Any:
        return [((1, 1, 1), "x")]

    response = ask({**CHAPTERS, "ranges_provided": [("chapters", to_chapters)]}, headers={"Range": "chapters=1"})
    assert (response.status_code, response.text) == (206, "x")
    answers = {**CHAPTERS, "ranges_provided": [("chapters", "nowhere")], "to_text": "x"}
    assert ask(answers, headers={"Range": "chapters=1"}).status_code == 500
    assert ask(answers).status_code == 200
    assert ask({**CHAPTERS, "ranges_provided": [("chapters", "auto")]}, headers={"Range": "chapters=1"}).status_code == 500


def test_bytes_may_have_a_callback_of_their_own(ask: Ask) -> None:
    answers = {"ranges_provided": [("bytes", "to_part")], "to_part": [((0, 1, None), "ab")], "to_text": AssertionError()}
    response = ask(answers, headers={"Range": "bytes=0-1"})
    assert (response.status_code, response.headers["Content-Range"]) == (206, "bytes 0-1/*")


def test_all_fields_of_the_200_are_kept(ask: Ask) -> None:
    answers = {**AUTO, "generate_etag": '"7"', "expires": "0", "variances": ["Cookie"], "languages_provided": ["en"]}
    whole, some = ask(answers), ask(answers, headers={"Range": "bytes=0-3"})
    kept = set(whole.headers.keys()) - {"Content-Length"}
    assert {name: some.headers[name] for name in kept} == {name: whole.headers[name] for name in kept}
