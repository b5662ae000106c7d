"""A body is read whole, once and no further, however the server provides it."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from flask import Request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from xmpp_rest.http.request import WholeRequest, read_body

LIMIT = 20


class Pieces:
    """A server's stream that gives what it has, and notes what it is asked for."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self._pieces: Iterator[bytes | Exception] = iter(pieces)
        self.asked: list[int] = []

    def read(self, size: int) -> bytes:
        self.asked.append(size)
        piece = next(self._pieces, b"")
        if isinstance(piece, Exception):
            raise piece
        assert len(piece) <= size
        return piece


def request(stream: Pieces | io.BytesIO, length: str | None, **environ: object) -> Request:
    fields = {} if length is None else {"CONTENT_LENGTH": length}
    return WholeRequest({"REQUEST_METHOD": "POST", "wsgi.input": stream, "wsgi.url_scheme": "http"} | fields | environ)


def test_is_asked_for_once() -> None:
    stream = Pieces(b"wisely and slow")
    assert read_body(request(stream, "15"), LIMIT) == b"wisely and slow"
    assert stream.asked == [15]


def test_what_belongs_to_the_next_request_stays() -> None:
    stream = io.BytesIO(b"wiselyGET / HTTP/1.1")
    assert read_body(request(stream, "6"), LIMIT) == b"wisely"
    assert stream.read() == b"GET / HTTP/1.1"


def test_comes_in_pieces() -> None:
    stream = Pieces(b"wisely", b" and ", b"slow")
    assert read_body(request(stream, "15"), LIMIT) == b"wisely and slow"
    assert stream.asked == [15, 9, 4]


@pytest.mark.parametrize("piece", [b"", OSError("timed out"), ValueError("read of closed file")])
def test_breaks_off(piece: bytes | Exception) -> None:
    with pytest.raises(ClientDisconnected):
        read_body(request(Pieces(b"wisely", piece), "15"), LIMIT)


@pytest.mark.parametrize("length", [LIMIT + 1, LIMIT + 2, 10**9])
def test_says_that_it_is_too_long(length: int) -> None:
    with pytest.raises(RequestEntityTooLarge):
        read_body(request(io.BytesIO(b"x" * (LIMIT + 2)), str(length)), LIMIT)


@pytest.mark.parametrize(("size", "fits"), [(0, True), (LIMIT, True), (LIMIT + 1, False), (10 * LIMIT, False)])
def test_does_not_say_how_long_it_is(size: int, fits: bool) -> None:
    chunked = request(io.BytesIO(b"x" * size), None, HTTP_TRANSFER_ENCODING="chunked", **{"wsgi.input_terminated": True})
    if fits:
        assert read_body(chunked, LIMIT) == b"x" * size
    else:
        with pytest.raises(RequestEntityTooLarge):
            read_body(chunked, LIMIT)


@pytest.mark.parametrize("length", ["", "0", "x", "-1"])
def test_a_length_that_says_nothing(length: str) -> None:
    terminated = request(io.BytesIO(b"wisely"), length, **{"wsgi.input_terminated": True})
    assert read_body(terminated, LIMIT) == b"wisely"
    assert read_body(request(io.BytesIO(b"wisely"), length), LIMIT) == b""


@pytest.mark.parametrize("length", [None, "", "0", "15", " 15", "+15", "-1", "1_5", "x", "9" * 5000])
@pytest.mark.parametrize("coding", [None, "chunked", "Chunked", "gzip, chunked", "gzip", ""])
def test_the_length_is_the_one_that_werkzeug_reads(length: str | None, coding: str | None) -> None:
    given = {"CONTENT_LENGTH": length, "HTTP_TRANSFER_ENCODING": coding}
    environ = {"REQUEST_METHOD": "POST", **{name: value for name, value in given.items() if value is not None}}
    assert WholeRequest(environ).content_length == Request(environ).content_length
