"""Which groupchat messages are of rooms of MUC Light (client-api §3.1)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import pytest

from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.service.rooms.light_rooms import is_of_light_room

BODY = child("body", "hello")
CHANGE = child("{urn:xmpp:muclight:0#affiliations}x")
SETTING = child("{urn:xmpp:muclight:0#configuration}x")


@pytest.mark.parametrize(
    ("sender", "payload", "expected"),
    [
        ("orchard@muclight.example/juliet@capulet.example", BODY, True),
        ("orchard@muclight.example", CHANGE, True),
        ("orchard@muclight.example", SETTING, True),
        ("orchard@rooms.example", BODY, False),
        ("orchard@rooms.example/juliet", BODY, False),
        ("orchard@rooms.example/capulet.example", BODY, False),
        ("orchard@rooms.example/juliet@capulet.example/balcony", BODY, False),
        ("orchard@rooms.example/@", BODY, False),
    ],
)
def test_who_speaks_is_named_by_an_address(sender: str, payload: Element, *, expected: bool) -> None:
    message = make("message", payload, type_="groupchat", from_=sender)
    assert is_of_light_room(message, parse_jid(sender)) is expected
