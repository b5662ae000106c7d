"""Our parser of a connection takes and refuses the same requests as gunicorn's, but for the Host field."""

from __future__ import annotations

from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.parser import RequestParser

from xmpp_rest.serving.parser import Parser

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
def test_requests_of_a_connection_are_parsed_as_by_gunicorn(heads: list[bytes], peer: Any) -> None:
    expected = outcomes(RequestParser(settings(), heads, peer))
    assert outcomes(Parser(RequestParser(settings(), heads, peer))) == expected
    assert len(expected) == len(heads) or heads is SEQUENCES["closing"]


def test_forwarding_fields_of_a_trusted_peer() -> None:
    """The table above would also hold where gunicorn believed everybody, or nobody."""
    for peer, scheme in ((PROXY, "https"), (STRANGER, "http")):
        for _, seen, *_ in outcomes(Parser(RequestParser(settings(), [FORWARDED] * 3, peer))):
            assert seen == scheme


def test_the_parser_reads_what_was_put_back() -> None:
    plain = RequestParser(settings(), [PLAIN], PROXY)
    plain.unreader.unread(PLAIN)
    assert len(outcomes(Parser(plain))) == 2
