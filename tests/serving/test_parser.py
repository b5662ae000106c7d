"""The parser of a connection, which remembers, agrees with gunicorn's, which does not."""

from __future__ import annotations

from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.parser import RequestParser

from xmpp_rest.serving.parser import REMEMBERED, Parser

PROXY, STRANGER = ("127.0.0.1", 4711), ("192.0.2.7", 4711)
PEERS = {"trusted": PROXY, "untrusted": STRANGER, "unix socket": ""}


def head(*fields: str, version: str = "1.1") -> bytes:
    return "\r\n".join([f"POST / HTTP/{version}", "Host: x", *fields, "", ""]).encode("latin-1")


PLAIN = head("Accept: */*")
CHUNKED = head("Transfer-Encoding: chunked")
FORWARDED = head("X-Forwarded-Proto: https", "X-Forwarded-For: 192.0.2.9")
CONTINUED = head("Expect: 100-continue", "Connection: keep-alive")
LONG = head(*(f"X-Field-{i}: {'x' * 1000}" for i in range(4)))
SEQUENCES = {  # heads, one after the other on one connection
    "the same": [PLAIN, PLAIN, PLAIN],
    "forwarded": [FORWARDED, FORWARDED, PLAIN, FORWARDED],
    "first plain": [PLAIN, FORWARDED, PLAIN],
    "http again": [FORWARDED, head("X-Forwarded-Proto: http", "X-Forwarded-For: 192.0.2.9"), FORWARDED],
    "contradictory schemes": [FORWARDED, head("X-Forwarded-Proto: https", "X-Forwarded-Ssl: off")],
    "continued": [CONTINUED, CONTINUED, PLAIN, CONTINUED],
    "another version": [CONTINUED, head("Expect: 100-continue", "Connection: keep-alive", version="1.0"), CONTINUED],
    "unmet expectation": [PLAIN, head("Expect: tea")],
    "script name": [head("SCRIPT_NAME: /"), head("SCRIPT_NAME: /"), PLAIN],
    "underscore": [head("X_Forwarded_For: 192.0.2.9"), head("X_Forwarded_For: 192.0.2.9")],
    "long": [LONG, LONG, PLAIN, LONG],
    "no field": [b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", PLAIN, b"OPTIONS * HTTP/1.0\r\n\r\n"],
    "another case": [head("accept: */*"), PLAIN],
    "twice the host": [PLAIN, head("Host: y")],
    "folded": [PLAIN, head("X-A: b", " c")],
    "a space before the colon": [PLAIN, head("Content-Length : 3")],
    "control character": [PLAIN, head("X-A: b\x00")],
    "bare LF": [PLAIN, head("X-A: b\nX-C: d")],
    "two lengths": [head("Content-Length: 0"), head("Content-Length: 0"), head("Content-Length: 0", "Content-Length: 0")],
    "length and chunks": [head("Content-Length: 0"), head("Content-Length: 0", "Transfer-Encoding: chunked")],
    "signed length": [PLAIN, head("Content-Length: +3")],
    "chunks in 1.0": [PLAIN, head("Transfer-Encoding: chunked", version="1.0")],
    "unknown coding": [PLAIN, head("Transfer-Encoding: tea")],
    "many fields": [PLAIN, head(*(f"X-{i}: y" for i in range(200)))],
    "a huge field": [PLAIN, head("X-A: " + "y" * 9000)],
    "closing": [PLAIN, head("Connection: close"), PLAIN],
    "chunked": [CHUNKED + b"2\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n", CHUNKED + b"0\r\n\r\n", PLAIN],
    "trailer that is the head": [PLAIN, CHUNKED + b"0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"],
    "head that was a trailer": [CHUNKED + b"0\r\nX-Forwarded-Proto: https\r\n\r\n", b"GET / HTTP/1.0\r\nX-Forwarded-Proto: https\r\n\r\n"],
}


def outcomes(parser: RequestParser) -> list[Any]:
    """What comes of each request, up to the first that is refused, or that closes."""
    found: list[Any] = []
    try:
        for req in parser:
            fields = list(req.headers)
            req.headers.append(("X-ADDED", "by a hook"))  # none of the next request's business
            body = req.body.read()
            found.append((req.version, req.scheme, fields, req._expected_100_continue, body, req.trailers))
    except Exception as e:
        found.append((type(e), str(e)))
    return found


def settings() -> Config:
    cfg = Config()
    cfg.set("forwarded_allow_ips", PROXY[0])
    return cfg


@pytest.mark.parametrize("peer", PEERS.values(), ids=list(PEERS))
@pytest.mark.parametrize("heads", SEQUENCES.values(), ids=list(SEQUENCES))
def test_a_connection_comes_to_the_same(heads: list[bytes], peer: Any) -> None:
    expected = outcomes(RequestParser(settings(), heads, peer))
    assert outcomes(Parser(RequestParser(settings(), heads, peer))) == expected
    assert len(expected) == len(heads) or heads is SEQUENCES["closing"]


def test_what_the_peer_may_say() -> None:
    """The table above would also hold where gunicorn believed everybody, or nobody."""
    for peer, scheme in ((PROXY, "https"), (STRANGER, "http")):
        for _, seen, *_ in outcomes(Parser(RequestParser(settings(), [FORWARDED] * 3, peer))):
            assert seen == scheme


def test_the_peer_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = settings()
    asked = []
    networks = cfg.forwarded_allow_networks
    monkeypatch.setattr(cfg, "forwarded_allow_networks", lambda: asked.append(1) or networks(), raising=False)
    outcomes(Parser(RequestParser(cfg, [PLAIN, FORWARDED, PLAIN], PROXY)))
    assert len(asked) == 1


def test_no_long_head_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(LONG) > REMEMBERED
    parser = Parser(RequestParser(settings(), [LONG, LONG], PROXY))
    outcomes(parser)
    earlier = parser.mesg_class.args[0]
    assert earlier.head is None
    assert not earlier.fields


def test_a_parser_goes_on_with_what_was_put_back() -> None:
    plain = RequestParser(settings(), [PLAIN], PROXY)
    plain.unreader.unread(PLAIN)
    assert len(outcomes(Parser(plain))) == 2
