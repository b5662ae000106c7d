"""Stanzas to an account, and those that it sends (service/messages/mailbox.py, RFC 6121 §8.5)."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

import pytest

from tests.conftest import DOMAIN
from tests.link.fake import attach
from tests.raising import raising
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.protocol.stanza import child, condition_of, make
from xmpp_rest.service.messages import mailbox
from xmpp_rest.service.streams.registry import Stream

JULIET, NURSE, ROMEO = (parse_jid(text) for text in (f"juliet@{DOMAIN}", f"nurse@{DOMAIN}", "romeo@montague.example"))


def message(type_: str, *, to: Any = JULIET, from_: Any = ROMEO, rest: str = "<body>hi</body>") -> Element:
    return parse_text(f"<message type='{type_}' from='{from_}' to='{to}' id='m'>{rest}</message>")


def deliver(gateway: Gateway, stanza: Element) -> Element | None:
    return gateway.parts.router.deliver(stanza, parse_jid(stanza.attrib["from"]), parse_jid(stanza.attrib["to"]))


def kept(gateway: Gateway, user: str = "juliet") -> list[str]:
    return [item.id for item in gateway.driver.archive_find(user, DOMAIN, "archive")]


def heard(stream: Stream) -> list[tuple[str, bool]]:
    """Ids and `sent` of all events that wait."""
    events = []
    while (event := stream.next(0)) is not None:
        events.append((event.id, event.sent))
    return events


# what comes in


@pytest.mark.parametrize("resource", ["", "/balcony"])
@pytest.mark.parametrize(
    ("type_", "is_kept"), [("chat", True), ("normal", True), ("strange", True), ("headline", False), ("groupchat", False), ("error", False)]
)
def test_messages_by_type(gateway: Gateway, type_: str, is_kept: bool, resource: str) -> None:
    stream = gateway.parts.streams.open(JULIET)
    assert deliver(gateway, message(type_, to=f"{JULIET}{resource}")) is None
    assert len(kept(gateway)) == is_kept
    assert heard(stream) == [(kept(gateway)[0] if is_kept else "~1", False)]


@pytest.mark.parametrize("type_", ["chat", "normal", "headline"])
def test_nobody_there(gateway: Gateway, type_: str) -> None:
    answer = deliver(gateway, message(type_, to=f"nobody@{DOMAIN}"))
    assert answer is not None
    assert condition_of(answer).condition == "service-unavailable"
    assert deliver(gateway, message("error", to=f"nobody@{DOMAIN}")) is None
    assert deliver(gateway, message("groupchat", to=f"nobody@{DOMAIN}")) is None  # a room removes who sends it errors


def test_presence_is_heard_but_not_kept(gateway: Gateway) -> None:
    stream = gateway.parts.streams.open(JULIET)
    assert deliver(gateway, parse_text(f"<presence from='{ROMEO}/x' to='{JULIET}'/>")) is None
    assert heard(stream) == [("~1", False)]
    assert kept(gateway) == []


def test_an_id_that_only_the_archive_could_give(gateway: Gateway) -> None:
    forged = f"<body>hi</body><stanza-id xmlns='urn:xmpp:sid:0' id='1' by='{JULIET}'/><stanza-id xmlns='urn:xmpp:sid:0' id='2' by='other.example'/>"
    deliver(gateway, message("chat", rest=forged))
    (item,) = gateway.driver.archive_find("juliet", DOMAIN, "archive")
    assert ("id='1'" in item.stanza, "id='2'" in item.stanza) == (False, True)


# what goes out


def said(to: Any, type_: str = "chat") -> Element:
    return make("message", child("body", "hi"), type_=type_, id_="m1", from_=str(JULIET), to_=str(to))


def test_both_archives_and_both_streams(gateway: Gateway) -> None:
    hers, nurses = gateway.parts.streams.open(JULIET), gateway.parts.streams.open(NURSE)
    assert gateway.parts.sending.send(said(NURSE), JULIET, NURSE) is None
    assert heard(nurses) == [(kept(gateway, "nurse")[0], False)]
    assert heard(hers) == [(kept(gateway)[0], True)]


def test_to_oneself_once(gateway: Gateway) -> None:
    stream = gateway.parts.streams.open(JULIET)
    gateway.parts.sending.send(said(JULIET), JULIET, JULIET)
    assert heard(stream) == [(kept(gateway)[0], False)]


def test_what_is_refused_is_not_kept_where_the_sender_is_told(gateway: Gateway) -> None:
    stream = gateway.parts.streams.open(JULIET)
    assert gateway.parts.sending.send(said(ROMEO), JULIET, ROMEO) is not None
    assert (kept(gateway), heard(stream)) == ([], [])


def test_a_refusal_of_what_was_posted_comes_to_the_senders_stream(gateway: Gateway) -> None:
    stream = gateway.parts.streams.open(JULIET)
    gateway.parts.sending.post(said(ROMEO), JULIET, ROMEO)
    sent, bounced = stream.next(0), stream.next(0)
    assert sent is not None
    assert bounced is not None
    assert (sent.sent, sent.id) == (True, kept(gateway)[0])
    assert condition_of(bounced.stanza).condition == "remote-server-not-found"
    assert (bounced.stanza.get("id"), bounced.stanza.get("from")) == ("m1", str(ROMEO))


def test_a_refusal_from_afar_comes_the_same_way(gateway: Gateway) -> None:
    sent: list[Element] = []
    attach(gateway.parts.router, lambda domain, stanza: sent.append(stanza))
    gateway.parts.sending.post(said(ROMEO), JULIET, ROMEO)
    stream = gateway.parts.streams.open(JULIET)
    deliver(gateway, message("error", rest="<error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"))
    assert len(heard(stream)) == 1


def test_what_is_not_accepted_is_not_kept(gateway: Gateway) -> None:
    attach(gateway.parts.router, raising(GatewayError("outbox-full")))
    with pytest.raises(GatewayError, match="outbox-full"):
        gateway.parts.sending.post(said(ROMEO), JULIET, ROMEO)
    assert kept(gateway) == []


@pytest.mark.parametrize("to", [NURSE, ROMEO, JULIET])
def test_what_no_xml_can_hold_goes_nowhere(gateway: Gateway, to: Any) -> None:
    stream = gateway.parts.streams.open(to)
    stanza = make("message", child("subject", "\x00"), type_="chat", id_="m1", from_=str(JULIET), to_=str(to))
    with pytest.raises(BadXML):
        gateway.parts.sending.post(stanza, JULIET, to)
    assert heard(stream) == []
    assert kept(gateway) == []


def test_a_stanza_is_written_as_text_once(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Element] = []

    def counting(stanza: Element) -> str:
        written.append(stanza)
        return serialise(stanza)

    monkeypatch.setattr(mailbox, "serialise", counting)
    gateway.parts.sending.send(said(NURSE), JULIET, NURSE)
    assert len(written) == 1
    deliver(gateway, message("chat"))
    assert len(written) == 2, "and nobody else's text is taken for it"
    assert [("m1" in item.stanza) for item in gateway.driver.archive_find("juliet", DOMAIN, "archive")] == [True, False]


def test_the_component_writes_for_whom_it_likes(gateway: Gateway) -> None:
    """What the domain itself sends is in nobody's archive."""
    domain = parse_jid(DOMAIN)
    stanza = make("message", child("body", "hi"), id_="m1", from_=DOMAIN, to_=str(NURSE))
    assert gateway.parts.sending.send(stanza, domain, NURSE) is None
    assert len(kept(gateway, "nurse")) == 1
    assert list(gateway.driver.hosts()) == [DOMAIN]
