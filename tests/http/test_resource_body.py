"""http-state-machine §8: bodies, content types, HEAD, and errors."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.http.conftest import Ask

METHODS = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"]


def under(media_type: Any, value: Any) -> Any:
    return {"content_types_provided": [(media_type, "to_text")], "to_text": value}


@pytest.mark.parametrize(
    ("media_type", "value", "data"),
    [
        ("image/png", b"\x89PNG", b"\x89PNG"),
        ("image/png", bytearray(b"\x89PNG"), b"\x89PNG"),
        ("image/png", memoryview(b"\x89PNG"), b"\x89PNG"),
        ("text/plain", "é", "é".encode()),
        ("text/plain;charset=iso-8859-1", "é", b"\xe9"),
        ("application/xml;charset=iso-8859-1", "é", "é".encode()),
        ("application/json", "null", b"null"),
        ("application/json", '{"a": 1}', b'{"a": 1}'),
        ("application/json", {"a": "é"}, '{"a":"é"}'.encode()),
        ("application/json", {"a": "\ud800"}, b'{"a":"\\ud800"}'),
        ("application/json", {}, b"{}"),
        ("application/json", [1, None], b"[1,null]"),
        ("application/json", (1, 2), b"[1,2]"),
        ("application/json", 5, b"5"),
        ("application/json", 1.5, b"1.5"),
        ("application/json", True, b"true"),
        ("application/json", False, b"false"),
        ("application/json", 0, b"0"),
        ("application/problem+json", {"a": 1}, b'{"a":1}'),
        ("text/x-thing+json", {"a": 1}, b'{"a":1}'),
        ("text/plain", None, b""),
        ("text/plain", "", b""),
    ],
)
@pytest.mark.parametrize("touched", [False, True])
def test_a_provide_callback_may_return(ask: Ask, media_type: str, value: Any, data: Any, touched: bool) -> None:
    def to_text(self: Any) -> Any:
        if touched:
            self.response.headers["X-Touched"] = "1"
        return value

    response = ask({**under(media_type, value), "to_text": to_text})
    assert (response.status_code, response.data) == (200, data)
    assert response.content_type == media_type.replace(";", "; ")
    assert response.headers["Content-Length"] == str(len(data))
    head = ask({**under(media_type, value), "to_text": to_text}, "HEAD")
    assert (head.status_code, head.data, dict(head.headers)) == (200, b"", dict(response.headers))


@pytest.mark.parametrize(
    ("media_type", "value"),
    [
        *(("text/plain", value) for value in [{"a": 1}, [1], 5, True]),
        ("application/jsonp", {"a": 1}),
        ("application/json", {"a": datetime(2026, 1, 1, tzinfo=UTC)}),
        ("application/json", float("nan")),
        ("application/json", {1, 2}),
        ("application/json", UserDict(a=1)),
        ("text/plain", object()),
        ("text/plain;charset=us-ascii", "é"),
        ("text/plain;charset=klingon", "é"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_anything_else_is_a_programming_error(ask: Ask, media_type: str, value: Any, method: str) -> None:
    assert ask(under(media_type, value), method).status_code == 500


class TestStream:
    def test_a_generator(self, ask: Ask) -> None:
        closed = []

        def to_text(self: Any) -> Iterator[Any]:
            try:
                yield b"one "
                yield b"two"
            finally:
                closed.append(True)

        response = ask(under("text/plain", to_text))
        assert (response.status_code, response.data, closed) == (200, b"one two", [True])
        assert "Content-Length" not in response.headers

    def test_an_iterator_that_is_head_is_closed(self, ask: Ask) -> None:
        class Stream:
            closed = 0

            def __iter__(self) -> Any:
                return self

            def __next__(self) -> None:
                raise AssertionError("read for HEAD")

            def close(self) -> None:
                self.closed += 1

        stream = Stream()
        response = ask({"to_text": lambda self: stream}, "HEAD")
        assert (response.status_code, response.content_type, stream.closed) == (200, "text/plain", 1)

    @pytest.mark.parametrize("callback", ["accept", "delete_resource"])
    def test_is_a_body_even_when_empty(self, ask: Ask, callback: str) -> None:
        def change(self: Any) -> Any:
            self.set_body(iter(()))
            return True

        method = "DELETE" if callback == "delete_resource" else "POST"
        assert ask({callback: change}, method).status_code == 200

    def test_may_have_a_length_that_the_callback_knows(self, ask: Ask) -> None:
        def to_text(self: Any) -> Any:
            self.response.headers["Content-Length"] = "5"
            return iter([b"hel", b"lo"])

        response = ask({"to_text": to_text})
        assert (response.headers["Content-Length"], response.text) == ("5", "hello")

        def after_a_text(self: Any) -> Any:
            self.set_body("a longer text")
            return iter([b"hel", b"lo"])

        assert "Content-Length" not in ask({"to_text": after_a_text}).headers
        assert "Content-Length" not in ask({"to_text": after_a_text, "init": lambda self: self.response}).headers

    def test_that_is_replaced_is_closed(self, ask: Ask) -> None:
        closed = []

        class Stream:
            def __iter__(self) -> Any:
                return iter(())

            def __next__(self) -> None:
                raise StopIteration

            def close(self) -> None:
                closed.append(1)

        def resource_exists(self: Any) -> Any:
            self.set_body(Stream())
            return True

        assert ask({"resource_exists": resource_exists}).text == "hello"
        assert closed == [1]
        not_modified = {"resource_exists": resource_exists, "generate_etag": '"1"'}
        assert ask(not_modified, headers={"If-None-Match": "*"}).status_code == 304
        assert closed == [1, 1]
        assert ask({"resource_exists": resource_exists, "to_text": ValueError()}).status_code == 500
        assert closed == [1, 1, 1]


class TestPath:
    def test_is_sent_piecewise_with_its_length(self, ask: Ask, tmp_path: Path) -> None:
        path = tmp_path / "big"
        path.write_bytes(b"x" * 200_000)
        response = ask({"to_text": path}, buffered=False)
        assert response.headers["Content-Length"] == "200000"
        assert {len(block) for block in response.response} == {65536, 200_000 % 65536}
        head = ask({"to_text": path}, "HEAD")
        assert (head.headers["Content-Length"], head.data) == ("200000", b"")

    def test_that_is_empty_is_no_body(self, ask: Ask, tmp_path: Path) -> None:
        path = tmp_path / "empty"
        path.touch()
        response = ask({"to_text": path})
        assert (response.status_code, response.data, response.content_type) == (200, b"", "text/plain")
        assert ask({"accept": lambda self: self.set_body(path) or True}, "POST").status_code == 204

    @pytest.mark.parametrize("name", ["missing", ""])
    def test_that_cannot_be_opened_is_a_programming_error(self, ask: Ask, tmp_path: Path, name: str) -> None:
        assert ask({"to_text": tmp_path / name}).status_code == 500


class TestSetBody:
    @pytest.mark.parametrize("touched", [False, True])
    def test_is_labelled_with_the_negotiated_type(self, ask: Ask, touched: bool) -> None:
        def accept(self: Any) -> Any:
            if touched:
                self.response.headers["X-Touched"] = "1"
            self.set_body({"a": 1})
            return True

        response = ask({**under("application/json", None), "accept": accept}, "POST")
        assert (response.status_code, response.json, response.content_type) == (200, {"a": 1}, "application/json")

    def test_unless_the_callback_writes_its_own(self, ask: Ask) -> None:
        def accept(self: Any) -> Any:
            self.response.content_type = "application/vnd.thing+json; v=1"
            self.set_body({"a": 1})
            return True

        response = ask({"accept": accept}, "POST")
        assert (response.content_type, response.data) == ("application/vnd.thing+json; v=1", b'{"a":1}')

    def test_before_the_type_is_known_needs_one(self, ask: Ask) -> None:
        def with_type(self: Any) -> Any:
            self.response.content_type = "application/json"
            self.set_body({"why": "no"})
            return True

        response = ask({"malformed_request": with_type})
        assert (response.status_code, response.json) == (400, {"why": "no"})
        assert ask({"malformed_request": lambda self: self.set_body({"why": "no"})}).status_code == 500

    def test_replaces_what_was_there(self, ask: Ask) -> None:
        def to_text(self: Any) -> None:
            self.response.data = b"a longer text"
            self.set_body("one")
            self.set_body("two")

        response = ask({"to_text": to_text})
        assert (response.text, response.headers["Content-Length"]) == ("two", "3")

    def test_none_leaves_it(self, ask: Ask) -> None:
        def to_text(self: Any) -> None:
            self.set_body("one")
            self.set_body(None)

        assert ask({"to_text": to_text}).text == "one"

    def test_a_value_replaces_what_was_put_before(self, ask: Ask) -> None:
        response = ask({"resource_exists": lambda self: self.set_body("early") or True})
        assert (response.text, response.headers["Content-Length"]) == ("hello", "5")

    @pytest.mark.parametrize("value", ["", b""])
    def test_of_nothing_is_no_body(self, ask: Ask, value: Any) -> None:
        response = ask({"accept": lambda self: self.set_body(value) or True}, "POST")
        assert (response.status_code, response.content_type) == (204, None)
        response = ask({"forbidden": lambda self: self.set_body(value) or True})
        assert (response.status_code, response.get_json()["status"]) == (403, 403)

    @pytest.mark.parametrize("data", [b"", [], [b""], (b"", b"")])
    def test_an_empty_response_is_no_body(self, ask: Ask, data: Any) -> None:
        def accept(self: Any) -> Any:
            self.response.response = data if isinstance(data, (list, tuple)) else [data]
            return True

        assert ask({"accept": accept}, "POST").status_code == 204


class TestContentType:
    def test_is_never_flasks_default(self, ask: Ask) -> None:
        def touch(self: Any) -> None:
            self.response.headers["X-Touched"] = "1"

        for method in [*METHODS, "OPTIONS"]:
            for answers in ({}, {"init": touch}, {"init": touch, "resource_exists": False}):
                assert "html" not in ask(answers, method).headers.get("Content-Type", "")

    @pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE"])
    def test_goes_with_a_body_only(self, ask: Ask, method: str) -> None:
        response = ask({}, method)
        assert (response.status_code, response.content_type) == (204, None)
        assert "Content-Length" not in response.headers

    def test_is_removed_even_if_a_callback_wrote_it(self, ask: Ask) -> None:
        def accept(self: Any) -> Any:
            self.response.content_type = "text/html"
            return True

        assert ask({"accept": accept}, "POST").content_type is None
        assert ask({"accept": accept, "resource_exists": False}, "PUT").content_type is None

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_of_an_empty_representation_stays(self, ask: Ask, method: str) -> None:
        assert ask({"to_text": None}, method).content_type == "text/plain"
        assert ask({"to_text": "", "multiple_choices": True}, method).content_type is None
