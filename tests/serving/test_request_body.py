"""A body is read as a file (PEP 3333), while its bytes come."""

from __future__ import annotations

import io
from random import Random
from typing import Any

import pytest
from werkzeug.exceptions import ClientDisconnected

from xmpp_rest.serving.request_body import Body

READERS = ("read", "readline", "readlines", "next")


def body_of(pieces: list[bytes]) -> Body:
    """A body whose next piece comes when somebody wants more than is there."""
    left = list(pieces)

    def more() -> None:
        if left:
            body.feed(left.pop(0))
        if not left:
            body.end()

    body = Body(more)
    return body


@pytest.mark.parametrize("seed", range(20))
def test_as_a_file(seed: int) -> None:
    random = Random(seed)
    for _ in range(50):
        pieces = [bytes(random.choices(b"ab\n", k=random.randrange(9))) for _ in range(random.randrange(8))]
        body, file = body_of(pieces), io.BytesIO(b"".join(pieces))
        for _ in range(12):
            name, size = random.choice(READERS), random.choice((None, -1, 0, 1, 2, 5, 1000))
            results: list[Any] = []
            for source in (body, file):
                if name == "next":
                    results.append(next(iter(source), b""))
                else:
                    results.append(getattr(source, name)(*(() if size is None else (size,))))
            assert results[0] == results[1], (pieces, name, size)
        assert body.read() == file.read()


def test_no_more_is_asked_for_than_is_wanted() -> None:
    asked = []
    body = Body(lambda: asked.append(True))
    body.feed(b"ab\ncd")
    assert (body.read(2), body.readline(), body.readline(1), body.read(1), asked) == (b"ab", b"\n", b"c", b"d", [])
    assert body.buffered == 0
    body.end()
    assert (body.read(), body.readline(), asked) == (b"", b"", [])


def test_a_body_that_broke_off() -> None:
    body = Body(lambda: None)
    body.feed(b"ab")
    body.fail()
    assert body.read(1) == b"a"
    for read in (body.read, body.readline, body.readlines, lambda: body.read(2)):
        with pytest.raises(ClientDisconnected):
            read()


def test_a_client_that_has_gone() -> None:
    def more() -> None:
        raise ClientDisconnected

    with pytest.raises(ClientDisconnected):
        Body(more).read(1)


def test_what_is_discarded_takes_no_memory() -> None:
    body = Body(lambda: None)
    body.feed(b"abc")
    body.discard()
    body.feed(b"de")
    assert (body.buffered, body.received) == (0, 5)
