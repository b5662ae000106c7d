"""What hooks say in rooms of the domains of [rooms_anywhere] no_join."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.link.attached import until
from tests.service.hooks.network import ROOM, Network
from tests.service.hooks.test_rooms import ACTOR, conditions, send
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.jid import parse_jid


@pytest.fixture
def unjoined(gateway: Gateway, network: Network) -> Network:
    """Rooms of a domain of `no_join`: what is said there goes out as any message does."""
    gateway.parts.speaking.configure(
        replace(gateway.settings.rooms_anywhere, no_join=frozenset((parse_jid(ROOM).domain,))), gateway.settings.sessions
    )
    return network


def test_a_room_of_no_join_that_has_forgotten_it_gets_the_message_once_more(gateway: Gateway, unjoined: Network) -> None:
    room = unjoined.rooms[ROOM]
    (first,) = send(gateway)
    room.occupants.clear()  # it was restarted
    (second,) = send(gateway, text="Smoke")
    assert (first.error, second.error) == (None, None)
    until(lambda: [stanza.get("id") for stanza in unjoined.messages] == [first.id, second.id, second.id])
    assert (room.occupants, room.said) == ({ACTOR: "ops"}, 2)


def test_to_a_room_of_no_join_it_is_sent_at_most_twice(gateway: Gateway, unjoined: Network) -> None:
    room = unjoined.rooms[ROOM]
    assert conditions(send(gateway)) == [None]
    room.refuses = lambda stanza: "not-acceptable" if stanza.tag == "message" else None
    assert (conditions(send(gateway)), len(unjoined.messages)) == (["not-acceptable"], 3)
    room.refuses = lambda stanza: "gone" if stanza.tag == "message" else None
    assert (conditions(send(gateway)), len(unjoined.messages)) == (["gone"], 4)
    room.refuses = lambda stanza: "not-acceptable" if stanza.tag == "message" else "forbidden"
    room.occupants.clear()
    assert conditions(send(gateway)) == ["forbidden"]
