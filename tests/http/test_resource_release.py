"""A stream is closed exactly once, however the request ends."""

from __future__ import annotations

from typing import Any, cast

import pytest
from flask import Response

from tests.http.conftest import Ask
from xmpp_rest.http.resource import Stop, SwitchHandler

CHAPTERS = {"ranges_provided": [("chapters", "to_chapters")], "content_types_provided": [("text/plain", "to_text")]}


class Stream:
    """Three blocks; like a connection of a pool it must be given back once."""

    def __init__(self) -> None:
        self.blocks = iter([b"a", b"b", b"c"])
        self.closed = 0

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return next(self.blocks)

    def close(self) -> None:
        self.closed += 1


def put(stream: Any, then: Any) -> Any:
    """A callback that makes ``stream`` the body, and answers or raises ``then``."""

    def callback(self: Any) -> Any:
        self.set_body(stream)
        if isinstance(then, Exception):
            raise then
        return then

    return callback


def fail() -> None:
    raise LookupError("of the handler")


@pytest.mark.parametrize("touched", [False, True])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("answers", "status"),
    [
        (lambda stream: {"to_text": lambda self: stream}, 200),
        (lambda stream: {"resource_exists": put(stream, True)}, 200),
        (lambda stream: {"resource_exists": put(stream, False)}, 404),
        (lambda stream: {"forbidden": put(stream, Stop())}, 200),
        (lambda stream: {"forbidden": put(stream, Stop("else"))}, 200),
        (lambda stream: {"forbidden": put(stream, Stop(cast("Any", 5)))}, 500),
        (lambda stream: {"forbidden": put(stream, SwitchHandler(Response, "else"))}, 200),
        (lambda stream: {"forbidden": put(stream, SwitchHandler(cast("Any", fail)))}, 500),
        (lambda stream: {"forbidden": put(stream, ValueError())}, 500),
    ],
)
def test_a_stream(ask: Ask, answers: Any, status: int, method: str, touched: bool) -> None:
    stream = Stream()
    asked = {**answers(stream), **({"init": lambda self: self.response} if touched else {})}
    assert ask(asked, method, buffered=True).status_code == status
    assert stream.closed == 1


@pytest.mark.parametrize("how", [Stop, lambda response: SwitchHandler(lambda: (response, 202))])
def test_the_response_under_construction_goes_out_whole(ask: Ask, how: Any) -> None:
    stream = Stream()

    def forbidden(self: Any) -> None:
        self.set_body(stream)
        raise how(self.response)

    assert ask({"forbidden": forbidden}, buffered=True).data == b"abc"
    assert stream.closed == 1


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("buffered", [False, True])
def test_the_parts_of_a_range(ask: Ask, count: int, buffered: bool) -> None:
    streams = [Stream() for _ in range(count)]
    answers = {**CHAPTERS, "to_chapters": [(f"{number}/9", stream) for number, stream in enumerate(streams)]}
    response = ask(answers, headers={"Range": "chapters=1"}, buffered=buffered)
    assert response.data.split(b"\r\n").count(b"abc") == count  # a boundary may hold these letters too
    response.close()
    assert [stream.closed for stream in streams] == [1] * count
