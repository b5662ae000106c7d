"""Delivery of MUC Light messages to servers without MUC Light (RFC 6121 §8.5.2.1.1)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import pytest

from tests.conftest import DOMAIN
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.service.muclight import bounces as bounces_module
from xmpp_rest.service.muclight.bounces import Bounces

ROOM = f"garden@muclight.{DOMAIN}/nurse@{DOMAIN}"
ROMEO = "romeo@montague.example"


class MucLightRooms:
    """What goes out to the network, as (to, type, body)."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str | None, str | None]] = []
        self.bounces = Bounces(self.send, frozenset({DOMAIN}))

    def send(self, message: Element) -> None:
        assert (message.get("from"), message.tag) == (ROOM, "message")
        self.sent.append((message.attrib["to"], message.get("type"), message.findtext("body")))

    def say(self, body: str, identifier: str, *people: str) -> None:
        for to in people:
            self.bounces.record(make("message", child("body", body), from_=ROOM, to_=to, type_="groupchat", id_=identifier))

    def heard(self, *addresses: str) -> None:
        for address in addresses:
            self.bounces.record_address(parse_jid(address))

    def back(
        self, identifier: str, sender: str = ROMEO, condition: str = "service-unavailable"
    ) -> list[tuple[str, str | None, str | None]]:
        """What goes out because of this error."""
        error = f"<error type='cancel'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
        self.bounces.handle_error(parse_text(f"<message type='error' to='{ROOM}' id='{identifier}'>{error}</message>"), parse_jid(sender))
        sent, self.sent = self.sent, []
        return sent


@pytest.fixture
def rooms() -> MucLightRooms:
    return MucLightRooms()


def test_who_was_never_heard_gets_a_plain_message_once(rooms: MucLightRooms) -> None:
    rooms.say("hi", "m1", ROMEO, "paris@verona.example")
    rooms.say("ho", "m2", ROMEO)
    assert rooms.back("m1") == [(ROMEO, None, "hi")]
    assert rooms.back("m1") == []
    assert rooms.back("m2") == [(ROMEO, None, "ho")]
    assert rooms.back("m1", "paris@verona.example") == [("paris@verona.example", None, "hi")]


def test_full_addresses_come_first_and_those_that_are_gone_are_forgotten(rooms: MucLightRooms) -> None:
    rooms.heard(ROMEO, f"{ROMEO}/a", f"{ROMEO}/b", f"{ROMEO}/a")
    rooms.say("hi", "m1", ROMEO)
    assert rooms.back("m1") == [(f"{ROMEO}/b", "groupchat", "hi"), (f"{ROMEO}/a", "groupchat", "hi")]
    assert rooms.back("m1") == []
    assert rooms.back("m1", f"{ROMEO}/b") == []  # the other one has it
    rooms.say("ho", "m2", ROMEO)
    assert rooms.back("m2") == [(f"{ROMEO}/a", "groupchat", "ho")]
    assert rooms.back("m2", f"{ROMEO}/a") == [(ROMEO, None, "ho")]
    assert rooms.back("m2") == rooms.back("m2", f"{ROMEO}/a") == []


@pytest.mark.parametrize(
    ("identifier", "sender", "condition"),
    [
        ("m2", ROMEO, "service-unavailable"),
        ("m1", "tybalt@capulet.example", "service-unavailable"),
        ("m1", f"juliet@{DOMAIN}", "service-unavailable"),
        ("m1", f"{ROMEO}/a", "service-unavailable"),  # nothing was sent there
        ("m1", ROMEO, "remote-server-not-found"),
    ],
)
def test_other_errors_count_for_nothing(rooms: MucLightRooms, identifier: str, sender: str, condition: str) -> None:
    rooms.say("hi", "m1", ROMEO, f"juliet@{DOMAIN}")
    assert rooms.back(identifier, sender, condition) == []
    assert len(rooms.back("m1")) == 1


def test_memory_is_bounded(rooms: MucLightRooms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounces_module, "MOST", 1000)
    monkeypatch.setattr(bounces_module, "MOST_HEARD", 2)
    for n in range(10):
        rooms.say("x" * 300, f"m{n}", ROMEO)
        rooms.heard(*(f"p{n}@montague.example/{i}" for i in range(20)))
    assert [n for n in range(10) if rooms.back(f"m{n}")] == [8, 9]
    rooms.say("x" * 2000, "large", ROMEO)
    assert rooms.back("large") == []
    rooms.say("hi", "m1", "p1@montague.example", "p9@montague.example")
    assert rooms.back("m1", "p1@montague.example") == [("p1@montague.example", None, "hi")]
    assert len(rooms.back("m1", "p9@montague.example")) == 8
