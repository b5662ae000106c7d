"""Requests from the bytes of a connection, with both parsers of heads."""

from __future__ import annotations

import logging
import sys

import pytest
from gunicorn.config import Config

from tests.serving.wire_vectors import CHUNKED, GET, REFUSED, SERVED, head
from xmpp_rest.serving.head_parser import HeadParser
from xmpp_rest.serving.limits import Limits
from xmpp_rest.serving.llhttp import LlhttpHeadParser
from xmpp_rest.serving.reading import AHEAD, RequestReader, head_parser_of
from xmpp_rest.serving.request import BadRequest

PEER = ("192.0.2.7", 4711)
STATUSES = {  # of the refusals that are not 400
    "too long a line": 414,
    "too long a line without an end": 414,
    "too many fields": 431,
    "too long a field": 431,
    "too long a head without an end": 431,
    "a tea": 417,
    "two expectations": 417,
    "unknown coding": 501,
    "quoted coding": 501,
    "vertical tab in the coding": 400,
    "empty coding": 501,
}


def never() -> None:
    raise AssertionError("nothing more comes")


def status_of(reader: RequestReader, data: bytes) -> int | None:
    """The status with which what these bytes complete is refused; None if it is not."""
    try:
        reader.feed(data)
    except BadRequest as e:
        return e.status
    return None


@pytest.fixture(params=[HeadParser, LlhttpHeadParser])
def reader(request: pytest.FixtureRequest) -> RequestReader:
    cfg = Config()
    cfg.set("limit_request_line", 8190)
    limits = Limits.of(cfg)
    return RequestReader(limits, request.param(cfg, limits), PEER, never)


def test_pipelined_requests(reader: RequestReader) -> None:
    reader.feed(
        b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
        b"\r\nPOST /d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n"
        b"GET /e HTTP/1.0\r\n\r\nGET /never HTTP/1.0\r\n\r\n"
    )
    first, second, third = reader.requests
    assert (first.head.method, first.head.target, first.head.version) == ("POST", "/a?b=c", (1, 1))
    assert first.head.fields == [("HOST", "x"), ("CONTENT-LENGTH", "5")]
    assert (first.head.length, second.head.length, third.head.length) == (5, None, None)
    assert (first.head.chunked, second.head.chunked) == (False, True)
    assert (first.body.read(), second.body.read(), third.body.read()) == (b"hello", b"ab", b"")
    assert (first.head.keeps_alive, second.head.keeps_alive, third.head.keeps_alive) == (True, True, False)
    assert reader.ended


def test_what_is_complete_before_a_wrong_head_is_there(reader: RequestReader) -> None:
    with pytest.raises(BadRequest) as refused:
        reader.feed(GET + b"GET / HTTP/1.1\r\nHost : x\r\n\r\n" + GET)
    assert refused.value.status == 400
    assert len(reader.requests) == 1
    assert reader.ended
    reader.feed(GET)
    assert len(reader.requests) == 1


@pytest.mark.parametrize("name", REFUSED)
def test_status_of_what_is_refused(reader: RequestReader, name: str) -> None:
    status = status_of(reader, REFUSED[name])
    if status is None:  # the body is wrong, or is not all there
        assert not reader.requests[-1].body.complete
        assert name not in STATUSES
    else:
        assert status == STATUSES.get(name, 400)
        assert reader.ended


@pytest.mark.parametrize("name", SERVED)
def test_a_complete_body_is_followed_by_the_next_head(reader: RequestReader, name: str) -> None:
    reader.feed(SERVED[name])
    assert not any(request.body.failed for request in reader.requests)
    assert all(request.body.complete for request in list(reader.requests)[:-1])
    assert reader.ended == any(not request.head.keeps_alive and request.body.complete for request in reader.requests)


@pytest.mark.parametrize(
    ("begun", "status"),
    [
        (b"GET /\r\n", 400),  # HTTP/0.9
        (b"get / HTTP/1.1\r\nHost", 400),
        (b"PRI * HTTP/2.0\r\n", 400),
        (b"GET / HTTP/1.1\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\n", 400),
        (b"GET /" + b"x" * 8190, 414),
        (b"\r\n\r\n", 400),
        (b"\x16\x03\x01\n", 400),
    ],
)
def test_a_head_that_cannot_become_right_is_refused_at_once(reader: RequestReader, begun: bytes, status: int) -> None:
    assert [refused for at in range(len(begun)) if (refused := status_of(reader, begun[at : at + 1]))] == [status]
    assert not reader.head_begun


def test_whether_a_head_has_begun(reader: RequestReader) -> None:
    assert not reader.head_begun
    reader.feed(b"\r\n")  # is ignored (RFC 9112 §2.2)
    assert not reader.head_begun
    reader.feed(b"GET / HTTP/1.1\r\nHos")
    assert reader.head_begun
    reader.feed(b"t: x\r\n\r\nG")
    assert reader.head_begun
    reader.feed(GET[1:] + head("Content-Length: 3") + b"ab")
    assert not reader.head_begun
    assert len(reader.requests) == 3


def test_no_more_than_some_requests_are_parsed_ahead(reader: RequestReader) -> None:
    reader.feed(GET * 50 + b"wrong\r\n\r\n")
    for _ in range(3):
        assert len(reader.requests) == AHEAD
        assert reader.holds_back
        reader.requests.clear()
        assert status_of(reader, b"") in (None, 400)
    assert len(reader.requests) == 50 - 3 * AHEAD
    assert not reader.holds_back
    assert reader.ended


def test_a_body_comes_however_many_requests_are_before_it(reader: RequestReader) -> None:
    reader.feed(GET * (AHEAD - 1) + head("Content-Length: 3"))
    reader.feed(b"abc" + GET)
    assert reader.requests[-1].body.read() == b"abc"
    assert len(reader.requests) == AHEAD
    reader.requests.popleft()
    reader.feed(b"")
    assert len(reader.requests) == AHEAD


def test_a_body_that_is_not_in_chunks_fails(reader: RequestReader) -> None:
    reader.feed(CHUNKED + b"2\r\nab\r\n")
    (request,) = reader.requests
    assert request.body.buffered == 2
    reader.feed(b"zz\r\n")
    assert request.body.failed
    assert reader.ended
    assert request.body.read(2) == b"ab"


def test_a_body_ends_what_asked_to_close(reader: RequestReader) -> None:
    reader.feed(head("Connection: close", "Content-Length: 3") + b"ab")
    assert not reader.ended
    reader.feed(b"c" + GET)
    assert reader.ended
    assert [request.body.read() for request in reader.requests] == [b"abc"]


def test_limits_as_gunicorn_takes_them() -> None:
    cfg = Config()
    assert Limits.of(cfg) == (4094, 100, 8190, 100 * 8192 + 4)
    for name, value in (("limit_request_line", 0), ("limit_request_fields", 40_000), ("limit_request_field_size", 0)):
        cfg.set(name, value)
    assert Limits.of(cfg) == (32768 * 8192 + 4, 32768, 8190, 32768 * 8192 + 4)


def test_parser_where_httptools_is_not_installed(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    cfg = Config()
    limits = Limits.of(cfg)
    log = logging.Logger("of the server")  # not one of the process, which gunicorn disables where it sets up its log
    log.addHandler(caplog.handler)
    assert isinstance(head_parser_of(cfg, limits, log), LlhttpHeadParser)
    assert not caplog.records
    monkeypatch.delitem(sys.modules, "xmpp_rest.serving.llhttp")
    monkeypatch.setitem(sys.modules, "httptools", None)
    parser = head_parser_of(cfg, limits, log)
    assert type(parser) is HeadParser
    assert "httptools" in caplog.text


def test_settings_of_gunicorn_that_allow_more() -> None:
    cfg = Config()
    for name in ("permit_obsolete_folding", "strip_header_spaces", "casefold_http_method", "permit_unconventional_http_method", "permit_unconventional_http_version"):
        cfg.set(name, True)
    parser = LlhttpHeadParser(cfg, Limits.of(cfg))
    parsed = parser.parse(head("X-A: b", "X-B : c", " d", line="get / HTTP/1.1"), PEER)
    assert parsed.method == "GET"
    assert parsed.fields == [("X-A", "b"), ("HOST", "x"), ("X-B", "c d")]
    assert parser.parse(GET.replace(b"1.1", b"2.0"), PEER).version == (2, 0)
