"""A connection that takes what it can, and gives what it has."""

from __future__ import annotations

import gc
import selectors
import ssl
import weakref
from collections.abc import Callable
from typing import Any, cast
from xml.etree.ElementTree import Element

import pytest

from tests.link.attached import until
from tests.link.c2s.fake_server import FakeServer
from tests.link.c2s.kept import JULIET, STRANGER, Confirmed, Kept, message
from tests.link.c2s.opening import HEADER, open_stream
from tests.raising import raising
from xmpp_rest.link.c2s import resuming, tls_stream
from xmpp_rest.link.c2s.opened_stream import OpenedStream
from xmpp_rest.link.c2s.session_stream import SessionStream
from xmpp_rest.link.c2s.tls_socket import TlsSocket
from xmpp_rest.link.c2s.tls_stream import TlsStream
from xmpp_rest.link.errors import LinkDown
from xmpp_rest.protocol.stanza import child, make

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
Keep = Callable[..., Kept]


@pytest.fixture(autouse=True)
def long(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn takes as long as there is something to read, however slow the machine."""
    monkeypatch.setattr(tls_stream, "TURN", 60)


class ScriptedSocket:
    """Its answers to `recv` and `send`, in order; what is raised if it is an exception."""

    def __init__(self, *answers: bytes | int | Exception) -> None:
        self._answers = list(answers)
        self.sent: list[bytes] = []

    def _next(self) -> Any:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def recv(self, _size: int) -> Any:
        return self._next()

    def send(self, data: bytes) -> Any:
        self.sent.append(data)
        return self._next()


def stream_on(*answers: bytes | int | Exception, pending: bytes = b"") -> tuple[TlsStream, ScriptedSocket, list[Element]]:
    sock = ScriptedSocket(*answers)
    opened = OpenedStream(
        cast("TlsSocket", sock), pending, (), HEADER.format("capulet.example").encode(), JULIET, None, "", "", None, False, 0
    )
    stanzas: list[Element] = []
    return TlsStream(opened, lambda stanza, size: stanzas.append(stanza), raising(AssertionError), 10_000), sock, stanzas


def test_what_the_network_does_not_take_is_offered_again() -> None:
    stream, sock, _ = stream_on(ssl.SSLWantWriteError(), ssl.SSLWantReadError(), 2, 2)
    written: list[str] = []
    stream.write(b"<a/>", [lambda: written.append("a")])
    stream.write(b"<b/>")
    assert stream.events(True) == READ | WRITE
    stream.flush()
    assert stream.events(False) == WRITE
    stream.flush()
    assert stream.events(False) == READ  # TLS has to read before it writes
    assert (stream.is_idle, written) == (False, [])
    stream.flush()
    assert (stream.is_idle, written) == (True, ["a"])
    assert sock.sent == [b"<a/>", b"<a/>", b"<a/>", b"<b/>"]
    assert stream.events(False) == 0


def test_what_was_read_with_the_login_is_the_first() -> None:
    stream, _, stanzas = stream_on(
        b"sage id='b'/><iq", b" id='c'/>", ssl.SSLWantReadError(), ssl.SSLWantReadError(), pending=b"<message id='a'/><mes"
    )
    assert stream.has_more
    assert stream.read()
    assert [stanza.get("id") for stanza in stanzas] == ["a", "b", "c"]
    assert not stream.read()
    assert not stream.has_more


def test_tls_that_has_to_write_before_it_reads() -> None:
    stream, _, _ = stream_on(ssl.SSLWantWriteError(), b"<iq/>", ssl.SSLWantReadError())
    assert not stream.read()
    assert stream.events(True) == READ | WRITE
    assert stream.read()
    assert stream.events(True) == READ


def test_one_connection_leaves_others_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_stream, "TURN", 0)
    stream, _, stanzas = stream_on(b"<iq/>", b"<iq/>", ssl.SSLWantReadError())
    assert stream.read()
    assert (stream.has_more, len(stanzas)) == (True, 1)
    assert stream.read()
    assert not stream.read()
    assert len(stanzas) == 2
    assert not stream.has_more


def test_the_parser_of_a_silent_connection_is_given_back() -> None:
    wait = ssl.SSLWantReadError
    stream, _, stanzas = stream_on(b"<iq/><iq", wait(), b" id='b'/>", wait(), b"<iq id='c'/>", wait())
    assert stream.rests_at == tls_stream.NEVER
    assert stream.read()
    stream.rest(stream.rests_at)  # half a stanza is there
    assert stream.rests_at == tls_stream.NEVER
    assert stream.read()
    stream.rest(stream.rests_at - 0.1)
    assert stream.rests_at < tls_stream.NEVER
    parser = weakref.ref(stream._parser) if stream._parser else None
    stream.rest(stream.rests_at)
    gc.collect()
    assert parser is not None
    assert parser() is None
    assert stream.read()
    assert [stanza.get("id") for stanza in stanzas] == [None, "b", "c"]


@pytest.mark.parametrize(
    "error", [ConnectionResetError(104, "Connection reset by peer"), ValueError("closed"), ssl.SSLError(1, "bad record mac")]
)
def test_a_connection_that_broke(error: Exception) -> None:
    for act in ("read", "flush"):
        stream, _, _ = stream_on(error)
        stream.write(b"<iq/>")
        with pytest.raises(LinkDown, match="disconnected"):
            getattr(stream, act)()
    stream, _, _ = stream_on(b"")
    with pytest.raises(LinkDown, match="disconnected: the server closed the connection"):
        stream.read()


def test_a_server_that_takes_nothing_for_a_while(keep: Keep, fake: FakeServer) -> None:
    session = keep(send_limit=1 << 30).open()
    with fake.frozen():
        confirmed = Confirmed(session, make("message", child("body", "x" * (12 << 20)), to_=STRANGER))
    assert confirmed.outcome() == ""
    assert Confirmed(session, message("m")).outcome() == ""


def test_what_came_with_the_login(kept: Kept, fake: FakeServer) -> None:
    opened = open_stream(fake, JULIET)._replace(early=[message("early")], pending=b"<message id='pending'/>")
    session = kept.thread.adopt(opened, JULIET, fake.settings(), kept.events)
    kept.events.until(lambda: len(kept.events.stanzas) == 2)
    assert [stanza.get("id") for stanza in kept.events.stanzas] == ["early", "pending"]
    fake.call(lambda: fake.session("juliet").send_raw("<features/>"))  # nothing that anybody knows
    assert Confirmed(session).outcome() == ""


def test_a_mistake_in_a_stream_is_as_a_break(kept: Kept, fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "FIRST", 0.01)
    session, nurse = kept.open(), kept.open(JULIET._replace(local="nurse"))
    assert Confirmed(session).outcome() == ""
    assert Confirmed(nurse).outcome() == ""
    with monkeypatch.context() as patch:
        patch.setattr(SessionStream, "check", raising(RuntimeError("a mistake")))
        confirmed = Confirmed(session, message("m"))
        until(lambda: "broke" in kept.events.told)
    assert confirmed.outcome() == ""
    assert Confirmed(nurse).outcome() == ""
