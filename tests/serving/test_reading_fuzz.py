"""The same bytes are the same requests, however they are split, with either parser of heads, and as gunicorn reads them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import NoMoreData
from gunicorn.http.parser import RequestParser

from tests.serving.wire_vectors import REFUSED, SERVED, STRICTER
from xmpp_rest.serving.head_parser import HeadParser, Parsed, refusal
from xmpp_rest.serving.limits import Limits
from xmpp_rest.serving.llhttp import LlhttpHeadParser
from xmpp_rest.serving.reading import AHEAD, RequestReader
from xmpp_rest.serving.request import BadRequest, Request

PEER = ("127.0.0.1", 4711)
VECTORS = SERVED | REFUSED
PARSERS = (HeadParser, LlhttpHeadParser)
SMALL = 400  # bytes of a vector that is split at every point
CASES = 3000  # mutations
PALETTE = [b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b":", b";", b",", b"0", b"1", b"a", b"_", b"-", b'"', b"\x7f", b"\x80", b"\xff", b"#", b"/"]
WORDS = [b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: x\r\n", b"Connection: close\r\n", b"0\r\n\r\n", b"GET / HTTP/1.1\r\n", b"chunked"]

Outcome = tuple[list[Any], Any]
"""Each request; then the class of the status with which the next one is refused, None if it is not."""


def settings() -> Config:
    cfg = Config()
    cfg.set("limit_request_line", 8190)  # as in serving/server.py
    cfg.__dict__.update((name, setting.get()) for name, setting in cfg.settings.items())  # as the worker does, for speed
    return cfg


CFG = settings()
LIMITS = Limits.of(CFG)


def never() -> None:
    raise AssertionError("nothing more comes")


def read(parser: type[HeadParser], pieces: Iterable[bytes]) -> Outcome:
    reader = RequestReader(LIMITS, parser(CFG, LIMITS), PEER, never)
    refused = None
    requests: list[Request] = []
    for piece in pieces:
        data = piece
        while True:
            try:
                reader.feed(data)
            except BadRequest as e:
                refused = e.status // 100
            assert len(reader.requests) <= AHEAD
            requests += reader.requests
            reader.requests.clear()
            if not reader.holds_back:
                break
            data = b""
    found = []
    for request in requests:
        head, body = request.head, request.body
        about = (head.method, head.target, head.version, head.fields, head.scheme, head.keeps_alive, head.expects_continue)
        got = body.read(body.buffered)
        found.append((*about, head.length, head.chunked, "complete" if body.complete else "incomplete", got))
        assert not (body.failed and body.complete)
    return found, refused


class GunicornConnection(RequestParser):  # type: ignore[misc]
    mesg_class = Parsed


def read_by_gunicorn(pieces: Iterable[bytes]) -> Outcome:
    found: list[Any] = []
    requests = GunicornConnection(CFG, [piece for piece in pieces if piece], PEER)
    try:
        for r in requests:
            reader = r.body.reader
            length = None if not hasattr(reader, "length") or all(name != "CONTENT-LENGTH" for name, _ in r.headers) else reader.length
            about = (r.method, r.uri, r.version, r.headers, r.scheme, not r.should_close(), r._expected_100_continue, length, not hasattr(reader, "length"))
            got = b""
            try:
                while byte := r.body.read(1):
                    got += byte
                state = "complete" if not length or len(got) == length else "incomplete"
            except Exception:
                state = "incomplete"
            found.append((*about, state, got))
            if state != "complete":
                break
    except NoMoreData:
        return found, None
    except Exception as e:
        return found, refusal(e).status // 100
    return found, None


def splits(data: bytes, points: Sequence[int]) -> Iterator[bytes]:
    for start, end in itertools.pairwise((0, *points, len(data))):
        yield data[start:end]


def random_splits(data: bytes, random: Random) -> Iterator[bytes]:
    return splits(data, sorted(random.randrange(len(data) + 1) for _ in range(random.choice((1, 2, 5, 40)))))


@pytest.mark.parametrize("name", SERVED)
def test_served(name: str) -> None:
    for parser in PARSERS:
        found, refused = read(parser, [SERVED[name]])
        assert refused is None
        assert found or not SERVED[name]


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    for parser in PARSERS:
        found, refused = read(parser, [REFUSED[name]])
        assert refused is not None or found[-1][-2] == "incomplete"


def as_gunicorn(outcome: Outcome) -> Outcome:
    """Without what came of a body that is not complete: gunicorn keeps that to itself."""
    found, refused = outcome
    return [(*about, state, got if state == "complete" else b"") for *about, state, got in found], refused


@pytest.mark.parametrize("name", VECTORS)
def test_every_vector_is_read_alike_however_it_is_split(name: str) -> None:
    data = VECTORS[name]
    expected = read(HeadParser, [data])
    if name not in STRICTER:
        assert as_gunicorn(expected) == as_gunicorn(read_by_gunicorn([data]))
    random = Random(data)
    pieces = [[data]]
    if len(data) <= SMALL:
        pieces += [list(splits(data, [at])) for at in range(len(data))]
        pieces += [[data[at : at + 1] for at in range(len(data))]]
    pieces += [list(random_splits(data, random)) for _ in range(20 if len(data) <= 20_000 else 2)]
    for parser, split in itertools.product(PARSERS, pieces):
        assert read(parser, split) == expected, split


def mutated(random: Random) -> bytes:
    data = bytearray(random.choice(STEMS))
    for _ in range(random.choice((1, 1, 2, 3))):
        at, other = sorted(random.randrange(len(data) + 1) for _ in range(2))
        short = min(other, at + random.randrange(1, 6))
        match random.randrange(7):
            case 0:
                del data[at:short]
            case 1:
                data[at:at] = random.choice(PALETTE)
            case 2:
                data[at : at + 1] = random.choice(PALETTE)
            case 3:
                data[at:at] = data[at:short] * random.randrange(1, 4)
            case 4:
                data[at:at] = random.choice(WORDS)
            case 5:
                line = data.find(b"\r\n", at) + 2
                data[line:line] = random.choice(WORDS)
            case 6:
                data[at:] = random.choice(STEMS)[at:]
    return bytes(data)


STEMS = [data for data in VECTORS.values() if 0 < len(data) <= SMALL]


@pytest.mark.parametrize("seed", range(10))
def test_mutations_are_read_alike(seed: int) -> None:
    random = Random(seed)
    for _ in range(CASES // 10):
        data = mutated(random)
        expected = read(HeadParser, [data])
        assert as_gunicorn(expected) == as_gunicorn(read_by_gunicorn([data])), data
        for parser in PARSERS:
            for pieces in ([data], list(random_splits(data, random))):
                assert read(parser, pieces) == expected, pieces
