"""The head of an answer is gunicorn's, and says how the end of the body is found."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import InvalidResponseHeader, InvalidResponseHeaderName
from gunicorn.http.wsgi import Response

from xmpp_rest.serving.response import ResponseHead, serialise_head

STATUSES = ("200 OK", "204 No Content", "304 Not Modified", "100 Continue", "404", "500 \xe4\tx", "599  x")
FIELDS = {
    "none": [],
    "length": [("Content-Length", "3"), ("X-A", "b")],
    "length in another case": [("content-LENGTH", " 3 ")],
    "others": [("X-A", " b\t"), ("X-A", "\xe4"), ("x-empty", ""), ("Vary", "a, b")],
    "hop by hop": [("Connection", "close"), ("Transfer-Encoding", "chunked"), ("Server", "x"), ("Date", "x"), ("Keep-Alive", "1"), ("X-A", "b")],
}
WRONG: list[tuple[Any, Any, type[Exception]]] = [
    ("200 OK", [("X-A", "b\r\nX-B: c")], InvalidResponseHeader),
    ("200 OK", [("X-A", "b\nX-B: c")], InvalidResponseHeader),
    ("200 OK", [("X-A", "b\x00")], InvalidResponseHeader),
    ("200 OK", [("X-A", "\u20ac")], InvalidResponseHeader),
    ("200 OK", [("Connection", "\n")], InvalidResponseHeader),
    ("200 OK", [("X A", "b")], InvalidResponseHeaderName),
    ("200 OK", [("", "b")], InvalidResponseHeaderName),
    ("200 OK", [("X-A\r\nX-B", "b")], InvalidResponseHeaderName),
    ("200 OK", [("X-\xc4", "b")], InvalidResponseHeaderName),
    ("200 OK", [("X-A:", "b")], InvalidResponseHeaderName),
    ("200 OK", [("Content-Length", "x")], ValueError),
    ("200 OK", [("X-A", 1)], TypeError),
    ("200 OK", [(b"X-A", "b")], TypeError),
    ("200 OK\r\nX-A: b", [], ValueError),
    ("200 \u20ac", [], ValueError),
    ("2000 OK", [], ValueError),
    ("OK", [], ValueError),
    ("", [], ValueError),
    (200, [], TypeError),
]


class Asked:
    """What gunicorn's response wants to know of its request."""

    def __init__(self, method: str, version: tuple[int, int], closes: bool) -> None:
        self.method = method
        self.version = version
        self.should_close = lambda: closes


class Sink:
    def __init__(self) -> None:
        self.data = b""

    def sendall(self, data: bytes) -> None:
        self.data += data


def undated(head: bytes) -> bytes:
    found, count = re.subn(rb"Date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n", b"Date\r\n", head)
    assert count == 1
    return found


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS)
@pytest.mark.parametrize("status", STATUSES)
def test_as_gunicorn(status: str, fields: list[tuple[str, str]]) -> None:
    for method, version, closes in itertools.product(("GET", "HEAD"), ((1, 0), (1, 1)), (False, True)):
        sink = Sink()
        theirs = Response(Asked(method, version, closes), sink, Config())
        theirs.start_response(status, fields)
        theirs.send_headers()
        ours = ResponseHead(status, fields, method, version)
        assert undated(ours.serialise(keep_alive=not closes)) == undated(sink.data)
        assert (ours.code, ours.length, ours.chunked) == (theirs.status_code, theirs.response_length, theirs.chunked)
        assert ours.omits_body == theirs._omits_body
        assert (closes or not ours.delimited) == theirs.should_close()


@pytest.mark.parametrize(("status", "fields", "error"), WRONG)
def test_what_an_application_may_not_send(status: Any, fields: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        Response(Asked("GET", (1, 1), False), Sink(), Config()).start_response(status, fields)
    with pytest.raises(error):
        ResponseHead(status, fields, "GET", (1, 1))
    with pytest.raises(error):
        serialise_head(status, fields, keep_alive=True, chunked=False, version=(1, 1))


def test_a_head_of_the_servers_own() -> None:
    head = serialise_head("400 Bad Request", [("Content-Length", "0")], keep_alive=False, chunked=False, version=(1, 1))
    assert undated(head) == b"HTTP/1.1 400 Bad Request\r\nServer: gunicorn\r\nDate\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


def test_the_date_is_that_of_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    for now, date in ((784111777.9, b"Sun, 06 Nov 1994 08:49:37 GMT"), (784111778.0, b"Sun, 06 Nov 1994 08:49:38 GMT")):
        monkeypatch.setattr("time.time", lambda now=now: now)
        assert b"\r\nDate: " + date + b"\r\n" in ResponseHead("200 OK", [], "GET", (1, 1)).serialise(keep_alive=True)
