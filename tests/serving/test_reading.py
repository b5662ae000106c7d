"""Requests from the bytes of a connection, with both parsers of heads."""

from __future__ import annotations

import pytest
from gunicorn.config import Config

from xmpp_rest.serving.head_parser import HeadParser
from xmpp_rest.serving.limits import Limits
from xmpp_rest.serving.llhttp import LlhttpHeadParser
from xmpp_rest.serving.reading import Reader
from xmpp_rest.serving.request import BadRequest

PEER = ("192.0.2.7", 4711)


def never() -> None:
    raise AssertionError("nothing more comes")


@pytest.fixture(params=[HeadParser, LlhttpHeadParser])
def reader(request: pytest.FixtureRequest) -> Reader:
    cfg = Config()
    limits = Limits.of(cfg)
    return Reader(limits, request.param(cfg, limits), PEER, never)


def test_pipelined_requests(reader: Reader) -> None:
    reader.feed(
        b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
        b"\r\nPOST /d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n"
        b"GET /e HTTP/1.0\r\n\r\nGET /never HTTP/1.0\r\n\r\n"
    )
    first, second, third = reader.requests
    assert (first.head.method, first.head.target, first.head.version) == ("POST", "/a?b=c", (1, 1))
    assert first.head.fields == [("HOST", "x"), ("CONTENT-LENGTH", "5")]
    assert (first.body.read(), second.body.read(), third.body.read()) == (b"hello", b"ab", b"")
    assert (first.head.keeps_alive, second.head.keeps_alive, third.head.keeps_alive) == (True, True, False)
    assert reader.ended


def test_what_is_complete_before_a_wrong_head_is_there(reader: Reader) -> None:
    with pytest.raises(BadRequest) as refused:
        reader.feed(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost : x\r\n\r\n")
    assert refused.value.status == 400
    assert len(reader.requests) == 1
    assert reader.ended
