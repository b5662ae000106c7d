"""How long a session waits for its server, and what of that the thread of the sessions remembers."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from typing import cast
from xml.etree.ElementTree import Element

import pytest

from tests.link.attached import until
from tests.link.c2s.fake_server import FakeServer
from tests.link.c2s.kept import JULIET, Kept, message, sessions_settings
from tests.link.c2s.opening import HEADER
from tests.raising import raising
from xmpp_rest.link.c2s import session_stream
from xmpp_rest.link.c2s.acknowledgements import Acknowledgements, OnConfirmed, QueuedStanza
from xmpp_rest.link.c2s.opened_stream import OpenedStream, StreamManagement
from xmpp_rest.link.c2s.session_stream import SessionStream
from xmpp_rest.link.c2s.tls_socket import TlsSocket
from xmpp_rest.link.errors import LinkDown
from xmpp_rest.protocol.jid import JID


class Talker:
    """A socket on which there is white space after each time that something was written, and nothing else."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self._says = False

    def setblocking(self, _blocks: bool) -> None:
        self._says = False

    def setsockopt(self, *_: object) -> None:
        self._says = False

    def recv(self, _size: int) -> bytes:
        if not self._says:
            raise ssl.SSLWantReadError
        self._says = False
        return b" "

    def send(self, data: bytes) -> int:
        self.written.append(data)
        self._says = True
        return len(data)


class Owner:
    account: JID = JULIET
    jid: JID = JULIET.at("xmpp-rest")
    deliver: Callable[[Element, int], None] = staticmethod(raising(AssertionError))
    skipped: Callable[[Element, str], None] = staticmethod(raising(AssertionError))
    tell: Callable[[list[OnConfirmed]], None] = staticmethod(raising(AssertionError))

    def call(self, act: Callable[[], object]) -> object:
        return act()


def test_white_space_is_no_answer(fake: FakeServer) -> None:
    """A server that says anything but what it is asked, whenever it is asked, does not hold its account forever."""
    sock, queue = Talker(), Acknowledgements(counts=True)
    header = HEADER.format("capulet.example").encode()
    opened = OpenedStream(
        cast("TlsSocket", sock), b"", (), header, Owner.jid, None, "", "", StreamManagement("s", None), resumed=False, acknowledged=0
    )
    stream = SessionStream(opened, cast("session_stream.StreamOwner", Owner()), queue, sessions_settings(keepalive=60, idle=600), 0)
    queue.put([QueuedStanza(b"<message/>", "message", confirmed=False)], 10)
    now = time.monotonic()
    stream.flush()

    def talk() -> None:
        nonlocal now
        for _ in range(20):
            stream.check(now := now + 61, reading=True)
            stream.read()

    with pytest.raises(LinkDown, match="unanswered"):
        talk()
    assert sum(b"<r " in data for data in sock.written) > 5


def test_times_at_which_a_session_was_to_be_looked_at_are_forgotten(
    keep: Callable[..., Kept], fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_stream, "ASK_AFTER", 0.01)
    kept = keep(keepalive=1)
    session = kept.open()
    for n in range(20):
        session.write(message(f"m{n}", to="nurse@capulet.example", type="groupchat"))
        until(lambda: session.waiting == 0)
    until(lambda: len(kept.thread._due) <= 2)
    assert kept.events.told == []
