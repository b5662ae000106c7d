"""R1 to R5: parts of a representation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.http.conftest import Ask

TEN = "0123456789"
AUTO = {"ranges_provided": [("bytes", "auto")], "to_text": TEN}


def part(boundary: Any, content_range: Any, data: Any, content_type: Any="text/plain", last: Any=False) -> Any:
    head = f"--{boundary}\r\nContent-Type: {content_type}\r\nContent-Range: {content_range}\r\n\r\n"
    return head.encode() + data + b"\r\n" + (f"--{boundary}--\r\n".encode() if last else b"")


def boundary_of(response: Any) -> Any:
    match = re.fullmatch(r"multipart/byteranges; boundary=([0-9a-f]{32})", response.content_type)
    assert match
    return match[1]


@pytest.mark.parametrize(
    ("field", "content_range", "text"),
    [
        ("bytes=0-3", "bytes 0-3/10", "0123"),
        ("bytes=0-0", "bytes 0-0/10", "0"),
        ("bytes=9-9", "bytes 9-9/10", "9"),
        ("bytes=4-", "bytes 4-9/10", "456789"),
        ("bytes=0-", "bytes 0-9/10", TEN),
        ("bytes=0-9", "bytes 0-9/10", TEN),
        ("bytes=0-10", "bytes 0-9/10", TEN),
        ("bytes=8-99", "bytes 8-9/10", "89"),
        ("bytes=-3", "bytes 7-9/10", "789"),
        ("bytes=-10", "bytes 0-9/10", TEN),
        ("bytes=-99", "bytes 0-9/10", TEN),
        *((field, "bytes 0-3/10", "0123") for field in ["Bytes=0-3", " bytes= 0-3 ", "bytes=,, 0-3\t,", "bytes=20-,0-3"]),
        ("bytes=0-3,-0", "bytes 0-3/10", "0123"),
        ("bytes=00-03", "bytes 0-3/10", "0123"),
        ("bytes=0-99999999999999999999999999", "bytes 0-9/10", TEN),
    ],
)
def test_one_part(ask: Ask, field: str, content_range: str, text: Any) -> None:
    response = ask({**AUTO, "multiple_choices": AssertionError()}, headers={"Range": field})
    assert (response.status_code, response.text) == (206, text)
    assert response.headers["Content-Range"] == content_range
    assert response.headers["Content-Length"] == str(len(text))
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.content_type == "text/plain"


@pytest.mark.parametrize("field", ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=10-10,11-,-0"])
def test_nothing_satisfiable(ask: Ask, field: str) -> None:
    answers = {**AUTO, "generate_etag": '"7"', "expires": "0", "variances": ["Cookie"]}
    response = ask(answers, headers={"Range": field})
    assert (response.status_code, response.headers["Content-Range"]) == (416, "bytes */10")
    assert response.get_json()["title"] == "Range Not Satisfiable"
    assert response.headers["ETag"] == '"7"'
    assert (response.headers["Accept-Ranges"], response.headers["Vary"]) == ("bytes", "Cookie")
    assert "Expires" not in response.headers


@pytest.mark.parametrize(
    "field",
    ["", "bytes", "bytes 0-3", "=0-3", "bytes=", "bytes=,", "bytes=x", "bytes=3-0", "bytes=0-3,3-0", "bytes=-", "bytes=--3",
     "bytes=0-3-5", "bytes=0 - 3", "bytes=1.5-2", "bytes=+1-2", "bytes=0x0-3", "by tes=0-3", "bytes =0-3", "bytes=0-3;4-5",
     "bytes=²-³", "chapters", "bytes=" + "9" * 5000 + "-"],
)  # fmt: skip
@pytest.mark.parametrize("units", [[("bytes", "auto")], [("chapters", "to_chapters")]])
def test_malformed(ask: Ask, field: Any, units: Any) -> None:
    answers = {**AUTO, "ranges_provided": units, "generate_etag": '"7"', "expires": "0", "to_text": AssertionError()}
    response = ask({**answers, "range_satisfiable": AssertionError()}, headers={"Range": field})
    assert response.status_code == 416
    assert not {"Content-Range", "Expires"} & set(response.headers.keys())
    assert response.headers["ETag"] == '"7"'


@pytest.mark.parametrize(
    ("field", "spans"),
    [
        ("bytes=0-1,4-5", [(0, 1), (4, 5)]),
        ("bytes=4-5,0-1", [(4, 5), (0, 1)]),
        ("bytes=0-0,-1", [(0, 0), (9, 9)]),
        ("bytes=0-1,20-,4-5", [(0, 1), (4, 5)]),
        ("bytes=0-4,5-9", [(0, 4), (5, 9)]),
        ("bytes=0-2,1-3", [(0, 2), (1, 3)]),
    ],
)
def test_several_parts(ask: Ask, field: str, spans: Any) -> None:
    response = ask({**AUTO, "generate_etag": '"7"', "multiple_choices": AssertionError()}, headers={"Range": field})
    boundary = boundary_of(response)
    parts = [
        part(boundary, f"bytes {first}-{last}/10", TEN[first : last + 1].encode(), last=(first, last) == spans[-1])
        for first, last in spans
    ]
    assert (response.status_code, response.data) == (206, b"".join(parts))
    assert "Content-Range" not in response.headers
    assert response.headers["Content-Length"] == str(len(response.data))
    assert response.headers["ETag"] == '"7"'


def test_the_boundary_is_random(ask: Ask) -> None:
    headers = {"Range": "bytes=0-1,4-5"}
    assert boundary_of(ask(AUTO, headers=headers)) != boundary_of(ask(AUTO, headers=headers))


@pytest.mark.parametrize(
    "field", ["bytes=0-9,0-9", "bytes=0-5,5-9", "bytes=0-,-1", "bytes=" + ",".join(["0-1"] * 1000)]
)
def test_overlapping_ranges_are_answered_in_full(ask: Ask, field: Any) -> None:
    response = ask({**AUTO, "multiple_choices": True}, headers={"Range": field})
    assert (response.status_code, response.text, response.content_type) == (300, TEN, "text/plain")


@pytest.mark.parametrize(
    ("value", "media_type", "cut"),
    [
        (b"0123456789", "text/plain", b"0123"),
        (bytearray(b"0123456789"), "text/plain", b"0123"),
        ("äöü", "text/plain", "äö".encode()),
        ({"a": 1}, "application/json", b'{"a"'),
        ([1, 2, 3], "application/problem+json", b"[1,2"),
    ],
)
def test_what_can_be_cut(ask: Ask, value: Any, media_type: str, cut: Any) -> None:
    answers = {**AUTO, "to_text": value, "content_types_provided": [(media_type, "to_text")]}
    response = ask(answers, headers={"Range": "bytes=0-3"})
    assert (response.status_code, response.data, response.content_type) == (206, cut, media_type)


def test_positions_count_encoded_bytes(ask: Ask) -> None:
    answers = {**AUTO, "to_text": "äöü", "charsets_provided": ["utf-16-le"]}
    response = ask(answers, headers={"Range": "bytes=2-3"})
    assert (response.data, response.headers["Content-Range"]) == ("ö".encode("utf-16-le"), "bytes 2-3/6")
    assert response.content_type == "text/plain; charset=utf-16-le"


@pytest.mark.parametrize("touched", [False, True])
def test_a_file(ask: Ask, tmp_path: Path, touched: bool) -> None:
    path = tmp_path / "ten"
    path.write_text(TEN * 20_000)

    def to_text(self: Any) -> Any:
        if touched:
            self.response.headers["X-Touched"] = "1"
        return path

    answers = {**AUTO, "to_text": to_text}
    for field, data in [("bytes=100000-100003", b"0123"), ("bytes=-2", b"89"), ("bytes=3-", (TEN * 20_000)[3:].encode())]:
        response = ask(answers, headers={"Range": field})
        assert (response.status_code, response.data) == (206, data)
        assert response.headers["Content-Length"] == str(len(data))
    response = ask(answers, headers={"Range": "bytes=0-1,199998-"})
    boundary = boundary_of(response)
    first, second = part(boundary, "bytes 0-1/200000", b"01"), part(boundary, "bytes 199998-199999/200000", b"89", last=True)
    assert response.data == first + second
    assert response.headers["Content-Length"] == str(len(response.data))
    assert ask(answers, headers={"Range": "bytes=200000-"}).headers["Content-Range"] == "bytes */200000"
    assert ask(answers, headers={"Range": "bytes=0-,0-"}).data == path.read_bytes()


def test_a_stream_cannot_be_measured(ask: Ask) -> None:
    answers = {**AUTO, "to_text": lambda self: (each.encode() for each in TEN)}
    response = ask(answers, headers={"Range": "bytes=0-3"})
    assert (response.status_code, response.text) == (200, TEN)
    assert "Content-Range" not in response.headers


def test_what_was_put_on_the_response_is_cut_too(ask: Ask) -> None:
    def to_text(self: Any) -> None:
        self.set_body(TEN)

    response = ask({**AUTO, "to_text": to_text}, headers={"Range": "bytes=0-3"})
    assert (response.status_code, response.text) == (206, "0123")

    def to_data(self: Any) -> None:
        self.response.data = TEN

    response = ask({**AUTO, "to_text": to_data}, headers={"Range": "bytes=20-"})
    assert (response.status_code, response.get_json()["status"]) == (416, 416)


@pytest.mark.parametrize("field", ["bytes=0-", "bytes=0-3", "bytes=-3", "bytes=-0", "bytes=0-1,0-1"])
@pytest.mark.parametrize("value", ["", b"", None])
def test_nothing_is_answered_in_full(ask: Ask, field: str, value: Any) -> None:
    response = ask({**AUTO, "to_text": value}, headers={"Range": field})
    assert (response.status_code, response.data, response.content_type) == (200, b"", "text/plain")


@pytest.mark.parametrize(
    ("answers", "method"),
    [
        ({**AUTO}, "HEAD"),
        ({**AUTO, "ranges_provided": None}, "GET"),
        ({**AUTO, "ranges_provided": []}, "GET"),
        ({**AUTO, "ranges_provided": [("chapters", "to_chapters")]}, "GET"),
        ({"to_text": TEN}, "GET"),
    ],
)
@pytest.mark.parametrize("extra", [{}, {"If-Range": '"other"'}])
def test_ranges_that_do_not_count(ask: Ask, answers: Any, method: str, extra: Any) -> None:
    response = ask({**answers, "range_satisfiable": AssertionError()}, method, {"Range": "bytes=0-3", **extra})
    assert (response.status_code, response.headers["Content-Length"]) == (200, "10")
    assert "Content-Range" not in response.headers


def test_malformed_ranges_that_do_not_count(ask: Ask) -> None:
    assert ask(AUTO, "HEAD", {"Range": "bytes=x"}).status_code == 200
    assert ask({"to_text": TEN}, headers={"Range": "bytes=x"}).status_code == 200
    assert ask(AUTO, "DELETE", {"Range": "bytes=x"}).status_code == 204


@pytest.mark.parametrize(
    ("tag", "field", "counts"),
    [
        ('"7"', None, True),
        ('"7"', '"7"', True),
        ('"7"', ' "7" ', True),
        ('"7"', '"6"', False),
        ('"7"', 'W/"7"', False),
        ('W/"7"', 'W/"7"', False),
        ('W/"7"', '"7"', False),
        (None, '"7"', False),
        *(('"7"', field, False) for field in ["Fri, 21 Sep 2012 20:36:14 GMT", "7", "", '"7", "8"', "*"]),
    ],
)
def test_if_range(ask: Ask, tag: str | None, field: str | None, counts: bool) -> None:
    headers = {"Range": "bytes=0-3"} | ({} if field is None else {"If-Range": field})
    assert ask({**AUTO, "generate_etag": tag}, headers=headers).status_code == (206 if counts else 200)
    malformed = ask({**AUTO, "generate_etag": tag}, headers={**headers, "Range": "bytes=x"})
    assert malformed.status_code == (416 if counts else 200)


def test_if_range_is_nothing_without_range(ask: Ask) -> None:
    assert ask({**AUTO, "generate_etag": '"7"'}, headers={"If-Range": "bad"}).status_code == 200


def test_preconditions_come_first(ask: Ask) -> None:
    answers = {**AUTO, "generate_etag": '"7"'}
    assert ask(answers, headers={"Range": "bytes=x", "If-None-Match": '"7"'}).status_code == 304
    assert ask(answers, headers={"Range": "bytes=x", "If-Match": '"6"'}).status_code == 412
