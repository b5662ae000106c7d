"""Event streams follow the HTML standard, with a heartbeat and an end (http/sse.py, http/client_gone.py)."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from xmpp_rest.http.client_gone import ClientConnection
from xmpp_rest.http.sse import HEARTBEAT, TICK, EndOfStream, EventStream, Framing, comment, event

NOBODY = ClientConnection({})


@pytest.mark.parametrize(
    ("data", "more", "text"),
    [
        ("x", {}, "data: x\n\n"),
        ("", {}, "data: \n\n"),
        ("x", {"name": "message", "identifier": "7"}, "id: 7\nevent: message\ndata: x\n\n"),
        ("a\nb\r\nc\rd\n", {}, "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n"),
        ("🍎", {}, "data: 🍎\n\n"),
        ("\ud800", {}, "data: ?\n\n"),
    ],
)
def test_an_event(data: str, more: dict[str, str], text: str) -> None:
    assert event(data, **more) == text.encode()


@pytest.mark.parametrize("more", [{"name": "a\nb"}, {"identifier": "a\rb"}, {"identifier": "\0"}])
def test_a_name_and_an_id_stand_in_one_line(more: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        event("x", **more)


def test_a_comment_is_one_line() -> None:
    assert comment("a\nb\r\nc") == b": a b c\n\n"


class Clock:
    """A time of its own, which passes while one waits."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Script:
    """A source with prepared events: what to wait for, and what comes then."""

    def __init__(self, clock: Clock, *steps: tuple[float, bytes | None]) -> None:
        self.clock = clock
        self.steps = list(steps)
        self.closed = 0

    def next(self, seconds: float) -> bytes | None:
        assert 0 <= seconds <= TICK
        if not self.steps:
            raise EndOfStream("no more")
        wait, block = self.steps[0]
        if wait > seconds:
            self.clock.now += seconds
            self.steps[0] = (wait - seconds, block)
            return None
        self.clock.now += wait
        self.steps.pop(0)
        return block

    def close(self) -> None:
        self.closed += 1


def test_the_first_block_comes_before_anything_is_waited_for() -> None:
    clock = Clock()
    assert (next(EventStream(Script(clock, (100, b"x")), NOBODY, 15, clock)), clock.now) == (b": ok\n\n", 0)


def test_a_heartbeat_after_silence_only() -> None:
    clock = Clock()
    stream = EventStream(Script(clock, (0, b"a"), (14, b"b"), (14, b"c"), (31, b"d")), NOBODY, 15, clock)
    assert list(stream) == [b": ok\n\n", b"a", b"b", b"c", b": ok\n\n", b": ok\n\n", b"d", b": no more\n\n"]
    assert next(stream, None) is None


def test_what_waits_goes_before_a_heartbeat_that_is_due() -> None:
    clock = Clock()
    stream = EventStream(Script(clock, (0, b"a"), (0, b"b")), NOBODY, 15, clock)
    next(stream)
    clock.now = 100
    assert [next(stream), next(stream)] == [b"a", b"b"]


def test_what_says_nothing_is_no_heartbeat() -> None:
    clock = Clock()
    stream = EventStream(Script(clock, (1, None), (1, None), (1, b"a")), NOBODY, 15, clock)
    assert list(stream)[:2] == [b": ok\n\n", b"a"]


def test_closing_closes_the_source() -> None:
    source = Script(Clock())
    EventStream(source, NOBODY, 15).close()
    assert source.closed == 1


# the connection


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The server's and the client's end of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
        with server, client:
            yield server, client


@pytest.mark.parametrize("name", ["gunicorn.socket", "werkzeug.socket"])
def test_a_client_that_leaves_is_seen(ends: tuple[socket.socket, socket.socket], name: str) -> None:
    server, client = ends
    connection = ClientConnection({name: server})
    assert not connection.gone()
    client.sendall(b"GET / HTTP/1.1\r\n")
    assert not connection.gone(), "what it says next is none of our business"
    client.close()
    assert connection.gone()
    server.close()
    assert connection.gone()


def test_a_stream_ends_when_its_client_leaves(ends: tuple[socket.socket, socket.socket]) -> None:
    server, client = ends
    clock = Clock()
    stream = EventStream(Script(clock, (1000, b"x")), ClientConnection({"gunicorn.socket": server}), 1e9, clock)
    next(stream)
    client.close()
    assert list(stream) == []
    assert clock.now <= TICK


@pytest.mark.parametrize("timeout", [None, 60.0])
def test_a_client_that_takes_nothing_does_not_hold_its_thread(ends: tuple[socket.socket, socket.socket], timeout: float | None) -> None:
    server, _ = ends
    server.settimeout(timeout)
    ClientConnection({"gunicorn.socket": server}).bound_writes(0.2)
    with pytest.raises((TimeoutError, BlockingIOError)):
        server.sendall(b"x" * 50_000_000)


def test_a_server_that_tells_of_no_socket() -> None:
    assert not NOBODY.gone()
    NOBODY.bound_writes(1)


def test_a_stream_of_another_framing() -> None:
    clock = Clock()
    framing = Framing(b"open\n", lambda: b"keepalive\n", lambda text: b"")
    stream = EventStream(Script(clock, (0, b"a\n"), (50, b"b\n")), NOBODY, 45, clock, framing=framing)
    assert list(stream) == [b"open\n", b"a\n", b"keepalive\n", b"b\n", b""]


def test_a_client_is_told_when_to_come_back() -> None:
    class Ended(Script):
        def next(self, seconds: float) -> bytes | None:
            raise EndOfStream("another process leads now", 2.5)

    clock = Clock()
    assert list(EventStream(Ended(clock), NOBODY, 45, clock)) == [HEARTBEAT, b"retry: 2500\n: another process leads now\n\n"]
    framing = Framing(b"open\n", lambda: b"keepalive\n", lambda text: b"end\n")
    assert list(EventStream(Ended(clock), NOBODY, 45, clock, framing=framing)) == [b"open\n", b"end\n"]
