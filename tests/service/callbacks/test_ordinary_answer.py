"""What is parsed as an ordinary answer is what http.client makes of it; everything else is left to http.client."""

from __future__ import annotations

import http.client
import io
from typing import Any, cast

import pytest

from xmpp_rest.service.callbacks.ordinary_answer import OrdinaryHead, ordinary_head

ORDINARY = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200\r\ncontent-length:2\r\n\r\nhi",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
    b"HTTP/1.1 503 M\xfcde\r\nRetry-After: 7\r\nContent-Length: 0\r\nX: \xe9\tb c\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Type: text/plain\r\nX-Empty:\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: b\r\n" % n for n in range(98)) + b"Content-Length: 0\r\n\r\n",
]
OTHERS = [
    b"",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
    b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
    b"HTTP/1.1 1000 X\r\n\r\n",
    b"HTTP/1.1 200OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
    b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
    b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 16 + b"\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nX: \x00\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nContent-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: b\r\n" % n for n in range(99)) + b"Content-Length: 0\r\n\r\n",
]


class Answered:
    """What http.client takes for a socket."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, *_: object) -> io.BytesIO:
        return io.BytesIO(self._data)


@pytest.mark.parametrize("data", ORDINARY, ids=range(len(ORDINARY)))
def test_the_same_as_by_http_client(data: bytes) -> None:
    answer = http.client.HTTPResponse(cast("Any", Answered(data)), method="POST")
    answer.begin()
    head = ordinary_head(data)
    assert head is not None
    assert head.status == answer.status
    assert head.fields == {name.lower(): value.strip() for name, value in answer.headers.items()}
    assert head.keeps_alive is not answer.will_close
    assert data[head.size :][: head.length] == answer.read()


@pytest.mark.parametrize("data", OTHERS, ids=range(len(OTHERS)))
def test_what_is_not_ordinary(data: bytes) -> None:
    assert ordinary_head(data) is None


def test_white_space_around_a_value_is_not_part_of_it() -> None:
    data = b"HTTP/1.1 200 OK\r\nContent-Type: \t text/plain \t\r\nContent-Length:0\r\n\r\n"
    assert ordinary_head(data) == OrdinaryHead(200, {"content-type": "text/plain", "content-length": "0"}, len(data), 0)


def test_a_long_head_takes_linear_time() -> None:
    assert ordinary_head(b"HTTP/1.1 200 OK\r\n" + b"X: " + b" " * 65000) is None
