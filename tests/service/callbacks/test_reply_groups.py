"""Replies that are due at the same time are sent together, and each has an error of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast
from xml.etree.ElementTree import Element

import pytest

from tests.threads.scheduler import OneThread
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.router import Router
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.service.callbacks.delivery import new_delivery
from xmpp_rest.service.callbacks.reflections import Reflections
from xmpp_rest.service.callbacks.reply_sender import ReplySender
from xmpp_rest.service.callbacks.reports import Reports

BOTS = ("one.example", "two.example")


class Link:
    """Takes the part of the router. What has the body `no` is refused, with all that comes with it."""

    domains = frozenset(BOTS)
    has_link = True

    def __init__(self) -> None:
        self.sent: list[tuple[str, list[str | None]]] = []
        self.alone: list[str] = []

    def send_out(self, domain: str, stanzas: Sequence[Element], texts: Sequence[str]) -> None:
        assert [parse_text(text).get("from") for text in texts] == [f"bot@{domain}"] * len(stanzas)
        if any(stanza.findtext("body") == "no" for stanza in stanzas):
            raise GatewayError("outbox-full")
        self.sent.append((domain, [stanza.findtext("body") for stanza in stanzas]))

    def send(self, stanza: Element) -> None:
        self.alone.append(stanza.tag)

    def is_of_room(self, *_: object) -> bool:
        return False


@pytest.fixture
def link() -> Link:
    return Link()


def send_all(link: Link, replies: Sequence[tuple[str, str, str]]) -> list[bool]:
    """Send replies at the same time, each a kind, the domain of the bot, and a body; what `send` returned for each."""
    incidents = Incidents()
    sender = ReplySender("bot", 1000, cast("Router", link), Reflections(), Reports("bot", incidents))
    results: dict[int, bool] = {}

    def send(n: int, kind: str, domain: str, body: str) -> None:
        ends: dict[str, Any] = {"from_": f"friar{n}@other.example", "to_": f"bot@{domain}"}
        stanza = make(kind, **ends)
        delivery = new_delivery(stanza, parse_jid(ends["from_"]), parse_jid(ends["to_"]))
        reply = make(kind, child("body", body), from_=ends["to_"], to_=ends["from_"])
        results[n] = sender.send(delivery, reply, lambda _: None)

    OneThread().run(*(lambda n=n, reply=reply: send(n, *reply) for n, reply in enumerate(replies)))
    return [results[n] for n in range(len(replies))]


def test_messages_of_one_domain_share_a_commit(link: Link) -> None:
    assert send_all(link, [("message", BOTS[0], "a"), ("message", BOTS[1], "b"), ("message", BOTS[0], "c")]) == [True] * 3
    assert link.sent == [(BOTS[0], ["a", "c"]), (BOTS[1], ["b"])]


def test_one_that_cannot_be_sent_is_no_harm_to_the_others(link: Link) -> None:
    """It may be sent later, as the outbox is full."""
    assert send_all(link, [("message", BOTS[0], body) for body in ("a", "no", "c")]) == [True, False, True]
    assert link.sent == [(BOTS[0], ["a"]), (BOTS[0], ["c"])]


def test_what_is_not_xml_costs_itself_alone(link: Link) -> None:
    """The sender gets an error instead."""
    assert send_all(link, [("message", BOTS[0], body) for body in ("a", "\0", "c")]) == [True] * 3
    assert link.sent == [(BOTS[0], ["a"]), (BOTS[0], ["c"]), (BOTS[0], [None])]


def test_other_kinds_go_alone(link: Link) -> None:
    assert send_all(link, [("presence", BOTS[0], "a"), ("message", BOTS[0], "b")]) == [True] * 2
    assert (link.alone, link.sent) == (["presence"], [(BOTS[0], ["b"])])
