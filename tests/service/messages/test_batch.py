"""Batches: many stanzas are sent in order, with few waits for the disk, and each with an outcome of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast
from xml.etree.ElementTree import Element, SubElement

import pytest

from tests.link.attached import until
from tests.link.fake import attach
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.processes.group import Message
from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.jid import JID, parse_jid
from xmpp_rest.service.messages.archive import ArchiveFilter
from xmpp_rest.service.messages.batch import BatchSender, OutboundMessage
from xmpp_rest.threads.waits import Wait

FAR = "friar@montague.example"


class Link:
    """Takes stanzas as an uplink does, while there is room."""

    def __init__(self, room: int = 1000) -> None:
        self.room = room
        self.calls: list[list[str]] = []

    def send(self, domain: str, stanza: Element) -> None:
        self.send_all(domain, [stanza], [serialise(stanza)])

    def send_all(self, domain: str, stanzas: Sequence[Element], texts: Sequence[str]) -> None:
        assert texts == [serialise(stanza) for stanza in stanzas]
        if len(stanzas) > self.room:
            raise GatewayError("outbox-full")
        self.room -= len(stanzas)
        self.calls.append([stanza.findtext("body") or stanza.tag for stanza in stanzas])


@pytest.fixture
def juliet(gateway: Gateway) -> JID:
    return gateway.parts.accounts.address("juliet", gateway.settings.gateway.domain)


def attached(gateway: Gateway, room: int = 1000) -> Link:
    link = Link(room)
    attach(gateway.parts.router, link.send, link.send_all)
    return link


def outgoing(sender: JID, body: str, to: str = FAR, tag: str = "message") -> OutboundMessage:
    stanza = Element(tag, {"from": str(sender), "to": to, "id": body, **({"type": "chat"} if tag == "message" else {})})
    if tag == "message":
        SubElement(stanza, "body").text = body
    return OutboundMessage(stanza, sender, parse_jid(to))


def archived(gateway: Gateway, owner: JID) -> list[str]:
    return [kept.stanza.findtext("body") or "" for kept in gateway.parts.archive.page(owner, ArchiveFilter(), 100).items]


def test_messages_that_leave_share_one_call(gateway: Gateway, juliet: JID) -> None:
    link = attached(gateway)
    assert gateway.parts.sending.send_many([outgoing(juliet, str(n)) for n in range(5)]) == [None] * 5
    assert link.calls == [["0", "1", "2", "3", "4"]]
    assert archived(gateway, juliet) == ["0", "1", "2", "3", "4"]
    assert gateway.parts.sending.outcome(juliet, "3")


def test_what_is_in_between_keeps_its_place(gateway: Gateway, juliet: JID) -> None:
    link = attached(gateway)
    here = f"nobody@{juliet.domain}"
    order = [outgoing(juliet, "a"), outgoing(juliet, "b"), outgoing(juliet, "c", here), outgoing(juliet, "p", tag="presence"), outgoing(juliet, "d")]
    results = gateway.parts.sending.send_many(order)
    assert link.calls == [["a", "b"], ["presence"], ["d"]]
    assert isinstance(results[2], Element)
    assert results[2].get("type") == "error"
    assert [r for i, r in enumerate(results) if i != 2] == [None] * 4


def test_where_not_all_fit_the_first_ones_go(gateway: Gateway, juliet: JID) -> None:
    link = attached(gateway, room=3)
    results = gateway.parts.sending.send_many([outgoing(juliet, str(n)) for n in range(5)])
    assert link.calls == [["0", "1"], ["2"]]
    assert results[:3] == [None] * 3
    assert [getattr(r, "name", None) for r in results[3:]] == ["outbox-full"] * 2
    assert archived(gateway, juliet) == ["0", "1", "2"]
    assert gateway.parts.sending.outcome(juliet, "4") is None


def test_one_that_does_not_fit_costs_few_commits(gateway: Gateway, juliet: JID) -> None:
    """A group in which one is refused is sent by halves."""
    link = attached(gateway)
    sent: list[list[str]] = []

    def refusing(domain: str, stanzas: Sequence[Element], texts: Sequence[str]) -> None:
        if any(stanza.get("id") == "77" for stanza in stanzas):
            raise GatewayError("stanza-too-big")
        link.send_all(domain, stanzas, texts)
        sent.append([stanza.get("id", "") for stanza in stanzas])

    attach(gateway.parts.router, link.send, refusing)
    results = gateway.parts.sending.send_many([outgoing(juliet, str(n)) for n in range(256)])
    assert [n for n, result in enumerate(results) if result is not None] == [77]
    assert [body for group in sent for body in group] == [str(n) for n in range(256) if n != 77]
    assert len(sent) == 8


def test_a_storage_that_fails_is_tried_once_and_each_is_told(gateway: Gateway, juliet: JID) -> None:
    """An attempt may take as long as a request may wait, and what was tried may be kept: then it would be sent twice."""
    link = attached(gateway)
    tried: list[int] = []

    def failing(domain: str, stanzas: Sequence[Element], texts: Sequence[str]) -> None:
        tried.append(len(stanzas))
        raise GatewayError("storage-failed", "no standby")

    attach(gateway.parts.router, link.send, failing)
    results = gateway.parts.sending.send_many([outgoing(juliet, str(n)) for n in range(5)])
    assert tried == [5]
    assert [(result.name, result.text) for result in results if isinstance(result, GatewayError)] == [("storage-failed", "no standby")] * 5
    assert gateway.parts.sending.outcome(juliet, "4") is None
    each = gateway.parts.router.send_each([outgoing(juliet, str(n)).stanza for n in range(3)])
    assert tried == [5, 3]
    assert [getattr(result, "name", None) for result in each] == ["storage-failed"] * 3


def test_without_a_link_each_is_refused(gateway: Gateway, juliet: JID) -> None:
    results = gateway.parts.sending.send_many([outgoing(juliet, str(n)) for n in range(3)])
    assert all(isinstance(r, Element) and r.get("type") == "error" for r in results)


class Leader:
    """Another process, which takes what it is sent, or has just ended; this one follows it."""

    def __init__(self, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, *, gone: bool = False) -> None:
        self.gone = gone
        self.calls: list[list[str]] = []
        self.gate = threading.Event()
        self.gate.set()
        gateway.parts.remote.take_role(False)
        monkeypatch.setattr(gateway.parts.remote.group, "call", self._call)

    def _call(self, name: str, arguments: Message, wait: Wait) -> list[None]:
        assert name == "Sending.send_batch"
        if self.gone:
            raise GatewayError("link-down")
        self.calls.append([text for text, *_ in arguments["stanzas"]])
        assert self.gate.wait(30)
        return [None] * len(self.calls[-1])


def test_where_the_leader_has_ended_each_is_told(gateway: Gateway, juliet: JID, monkeypatch: pytest.MonkeyPatch) -> None:
    Leader(gateway, monkeypatch, gone=True)
    results = gateway.parts.sending.send_many([outgoing(juliet, "1"), outgoing(juliet, "2")])
    assert [getattr(r, "name", None) for r in results] == ["link-down"] * 2


def test_one_that_cannot_be_written_is_none_of_the_others_business(gateway: Gateway, juliet: JID, monkeypatch: pytest.MonkeyPatch) -> None:
    leader = Leader(gateway, monkeypatch)
    order = [outgoing(juliet, "1"), outgoing(juliet, "\x01"), outgoing(juliet, "3")]
    results = gateway.parts.sending.send_many(order)
    assert [type(r) for r in results] == [type(None), BadXML, type(None)]
    assert leader.calls == [[serialise(order[0].stanza), serialise(order[2].stanza)]]


def test_a_follower_sends_what_comes_at_once_in_one_call(gateway: Gateway, juliet: JID, monkeypatch: pytest.MonkeyPatch) -> None:
    leader = Leader(gateway, monkeypatch)
    leader.gate.clear()
    order = [outgoing(juliet, str(n)) for n in range(5)]
    threads = [threading.Thread(target=gateway.parts.sending.send, args=o[:3]) for o in order]
    for n, thread in enumerate(threads):
        thread.start()
        until(lambda n=n: bool(leader.calls) and len(gateway.parts.sending._remote_batch._waiting) == n)  # type: ignore[misc]
    leader.gate.set()
    for thread in threads:
        thread.join(30)
    texts = [serialise(o.stanza) for o in order]
    assert leader.calls == [texts[:1], texts[1:]]


def test_one_that_cannot_be_written_here(gateway: Gateway, juliet: JID) -> None:
    link = attached(gateway)
    results = gateway.parts.sending.send_many([outgoing(juliet, "1"), outgoing(juliet, "\x01"), outgoing(juliet, "3")])
    assert [type(r) for r in results] == [type(None), BadXML, type(None)]
    assert link.calls == [["1"], ["3"]]
    assert gateway.parts.sending.outcome(juliet, "\x01") is None


def test_senders_who_come_at_once_share_a_call(gateway: Gateway, juliet: JID) -> None:
    link = attached(gateway)
    romeo = gateway.parts.accounts.address("romeo", juliet.domain)
    gateway.parts.accounts.register(romeo, "secret")
    entered, gate = threading.Event(), threading.Event()

    def slow(domain: str, stanzas: Sequence[Element], texts: Sequence[str]) -> None:
        entered.set()
        assert gate.wait(30)
        link.send_all(domain, stanzas, texts)

    attach(gateway.parts.router, link.send, slow)
    order = [outgoing(sender, str(n)) for n in range(4) for sender in (juliet, romeo)]
    threads = [threading.Thread(target=gateway.parts.sending.send, args=o[:3]) for o in order]
    for n, thread in enumerate(threads):
        thread.start()
        assert entered.wait(30)
        while len(gateway.parts.sending._batch_sender._group._waiting) < n:
            time.sleep(0.001)
    gate.set()
    for thread in threads:
        thread.join(30)
    assert link.calls == [["0"], ["0", "1", "1", "2", "2", "3", "3"]]
    assert archived(gateway, juliet) == archived(gateway, romeo) == ["0", "1", "2", "3"]


def test_what_another_owner_sends_is_not_sent_again_where_one_of_it_is_refused() -> None:
    """A bot of a domain that has an owner of its own: that one takes messages one by one (many-machines §11)."""
    sent: list[str] = []

    def send(message: OutboundMessage) -> None:
        sent.append(message.stanza.get("id", ""))
        if len(sent) == 2:
            raise GatewayError("outbox-full")

    rooms = "conference.capulet.example"
    router = SimpleNamespace(domains={rooms}, has_link=True, beyond=SimpleNamespace(domains={rooms}), send_out=pytest.fail)
    batch = BatchSender(cast(Any, router), cast(Any, None), cast(Any, None), send, lambda _: False)
    results = batch([outgoing(JID("bot", rooms, ""), str(n)) for n in range(3)])
    assert [result and result.name for result in cast(list[GatewayError | None], results)] == [None, "outbox-full", None]
    assert sent == ["0", "1", "2"]
