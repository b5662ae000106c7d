"""A component beside a scripted server, for tests."""

from __future__ import annotations

import queue
import re
import time
from collections.abc import Callable
from xml.etree.ElementTree import Element

from tests.link.fake_server import Connection, FakeServer
from xmpp_rest.link.component import Component
from xmpp_rest.link.outbox import Entry, Label

DOMAIN = "gateway.example"


class Recorder:
    """Events that remembers."""

    def __init__(self) -> None:
        self.stanzas: queue.SimpleQueue[Element] = queue.SimpleQueue()
        self.heads: queue.SimpleQueue[tuple[Element, str]] = queue.SimpleQueue()
        self.changes: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self.full = False

    def received(self, domain: str, stanza: Element, size: int) -> None:
        self.stanzas.put(stanza)

    def skipped(self, domain: str, head: Element, why: str) -> None:
        self.heads.put((head, why))

    def changed(self, domain: str, online: bool) -> None:
        self.changes.put(online)

    def congested(self) -> bool:
        return self.full


Start = Callable[..., tuple[Component, Recorder, FakeServer]]


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def entry(data: bytes, lasting: bool = True) -> Entry:
    return Entry(data, Label("a@b", "1"), lasting=lasting)


def without_pings(text: str) -> str:
    """What was sent besides the iqs to oneself."""
    return re.sub(r"<iq [^>]*><ping xmlns='urn:xmpp:ping'/></iq>", "", text)


def stay(connection: Connection) -> None:
    connection.accept()
    connection.read_until("never", 30)


def echo_pings(connection: Connection) -> None:
    """As a real server: route back what the component sends to itself, after what came before it."""
    connection.accept()
    while True:
        text = connection.read_until("</iq>", 30)
        connection.send(text[text.rindex("<iq ") :])


def nothing(connection: Connection) -> None:
    connection.read_until("never", 30)
