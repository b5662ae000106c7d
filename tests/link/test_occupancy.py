"""An address stays in a room although nobody has an account there: rooms remove those who answer with errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from xml.etree.ElementTree import Element

import pytest
from flask import Flask

from tests.conftest import DOMAIN
from tests.link.network import Network, attached
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.link import occupancy
from xmpp_rest.link.occupancy import Occupancy
from xmpp_rest.link.uplink import Uplink
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.protocol.stanza import condition_of

GHOST = f"ghost@{DOMAIN}"
ADMIN = f"admin@{DOMAIN}"
ROOM = "hall@rooms.example"
MUC = "<x xmlns='http://jabber.org/protocol/muc'/>"
USER = "http://jabber.org/protocol/muc#user"


@pytest.fixture
def gateway(make_app: Callable[..., Flask], network: Network) -> Iterator[Gateway]:
    gateway = attached(make_app, network)
    yield gateway
    gateway.stop()


def send(gateway: Gateway, text: str) -> None:
    assert gateway.parts.router.send(parse_text(text)) is None


def join(gateway: Gateway, network: Network, sender: str = f"{GHOST}/x", room: str = ROOM) -> None:
    send(gateway, f"<presence from='{sender}' to='{room}/spook' id='j'>{MUC}</presence>")
    assert network.next().get("to") == f"{room}/spook"


FROM_ROOM = {
    "groupchat": f"<message from='{ROOM}/nurse' to='{GHOST}/x' type='groupchat'><body>boo</body></message>",
    "subject": f"<message from='{ROOM}' to='{GHOST}/x' type='groupchat'><subject/></message>",
    "private": f"<message from='{ROOM}/nurse' to='{GHOST}/x' type='chat'><body>psst</body></message>",
    "normal": f"<message from='{ROOM}' to='{GHOST}/x'><x xmlns='{USER}'/></message>",
    "to the bare address": f"<message from='{ROOM}/nurse' to='{GHOST}' type='chat'><body>psst</body></message>",
    "too deep": f"<message from='{ROOM}/nurse' to='{GHOST}/x' type='chat'>{'<a>' * 70}{'</a>' * 70}</message>",
    "presence": f"<presence from='{ROOM}/nurse' to='{GHOST}/x'/>",
}


@pytest.mark.parametrize("text", FROM_ROOM.values(), ids=list(FROM_ROOM))
def test_occupant_answers_no_error_to_a_room(gateway: Gateway, network: Network, text: str) -> None:
    join(gateway, network)
    network.send(text, DOMAIN)
    assert network.silent(DOMAIN, ADMIN) == []


def test_groupchat_is_not_answered_by_an_error(gateway: Gateway, network: Network) -> None:
    """Not even before the address is known to be in the room: after a restart, say."""
    network.send(FROM_ROOM["groupchat"] + FROM_ROOM["subject"], DOMAIN)
    assert network.silent(DOMAIN, ADMIN) == []


@pytest.mark.parametrize("sender", ["nurse@verona.example/x", "other@rooms.example/nurse", f"{ROOM}/nurse"])
def test_senders_outside_rooms_get_an_error(gateway: Gateway, network: Network, sender: str) -> None:
    if sender != f"{ROOM}/nurse":  # else nobody has entered the room
        join(gateway, network)
    network.send(f"<message from='{sender}' to='{GHOST}' type='chat' id='m'><body>x</body></message>", DOMAIN)
    answer = network.next()
    assert (answer.get("id"), condition_of(answer).condition) == ("m", "service-unavailable")


def test_iq_of_a_room_is_answered(gateway: Gateway, network: Network) -> None:
    """RFC 6120 §8.2.3; XEP-0410 takes this error for a sign of life."""
    join(gateway, network)
    network.send(f"<iq type='get' id='p' from='{ROOM}/nurse' to='{GHOST}/x'><ping xmlns='urn:xmpp:ping'/></iq>", DOMAIN)
    assert condition_of(network.next()).condition == "service-unavailable"


def test_marked_private_message_is_not_answered(gateway: Gateway, network: Network) -> None:
    """Nobody remembers who has joined after a process was killed, and the room would remove an occupant who answers with an error."""
    network.send(f"<message from='{ROOM}/nurse' to='{GHOST}/x' type='chat'><body>psst</body><x xmlns='{USER}'/></message>", DOMAIN)
    assert network.silent(DOMAIN, ADMIN) == []


def test_invitation_to_nobody_is_not_answered(gateway: Gateway, network: Network) -> None:
    x = f"<x xmlns='{USER}'><invite from='tybalt@verona.example'/></x>"
    network.send(f"<message id='m' from='{ROOM}' to='{GHOST}'>{x}</message>", DOMAIN)
    assert network.silent(DOMAIN, ADMIN) == []


def self_presence(nick: str) -> str:
    x = f"<x xmlns='{USER}'><status code='110'/></x>"
    return f"<presence from='{ROOM}/{nick}' to='{GHOST}/x'>{x}</presence>"


def test_occupant_that_entered_without_the_element(gateway: Gateway, network: Network) -> None:
    """Groupchat 1.0 (XEP-0045 §7.2.1): the room says that one is in."""
    send(gateway, f"<presence from='{GHOST}/x' to='{ROOM}/spook'/>")
    assert network.next().get("to") == f"{ROOM}/spook"
    network.send(self_presence("spook") + FROM_ROOM["private"], DOMAIN)
    assert network.silent(DOMAIN, ADMIN) == []
    gateway.stop()
    left = network.next()
    assert (left.get("to"), left.get("type")) == (f"{ROOM}/spook", "unavailable")


def test_occupancy_is_the_rooms_to_tell(gateway: Gateway, network: Network) -> None:
    network.send(self_presence("spook") + FROM_ROOM["private"], DOMAIN)
    assert condition_of(network.next()).condition == "service-unavailable"
    gateway.stop()


def test_occupant_with_another_nick(gateway: Gateway, network: Network) -> None:
    join(gateway, network)
    network.send(self_presence("spook 2"), DOMAIN)
    assert network.silent(DOMAIN, ADMIN) == []
    gateway.stop()
    assert network.next().get("to") == f"{ROOM}/spook 2"


@pytest.mark.parametrize("x", ["", MUC])
def test_the_room_answers_before_its_occupant_has_gone_on(
    gateway: Gateway, network: Network, monkeypatch: pytest.MonkeyPatch, x: str
) -> None:
    router, link_send = gateway.parts.router, Uplink.send

    def answered(link: Uplink, domain: str, stanza: Element) -> None:
        link_send(link, domain, stanza)
        if stanza.tag == "presence":
            shown = parse_text(self_presence("spook 2"))
            router.resolve(shown, parse_jid(f"{ROOM}/spook 2"), parse_jid(f"{GHOST}/x"))

    monkeypatch.setattr(Uplink, "send", answered)
    send(gateway, f"<presence from='{GHOST}/x' to='{ROOM}/spook'>{x}</presence>")
    assert network.next().get("to") == f"{ROOM}/spook"
    assert router.occupancy.nick(parse_jid(f"{GHOST}/x"), parse_jid(ROOM)) == "spook 2"
    gateway.stop()


def test_a_presence_that_is_not_sent_moves_nobody(gateway: Gateway, network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    router, place = gateway.parts.router, (parse_jid(f"{GHOST}/x"), parse_jid(ROOM))

    def refuse(*_: object) -> None:
        raise GatewayError("outbox-full")

    def refused(text: str) -> None:
        stanza = parse_text(text)
        with monkeypatch.context() as patch:
            patch.setattr(Uplink, "send", refuse)
            with pytest.raises(GatewayError, match="outbox-full"):
                router.send(stanza)

    refused(f"<presence from='{GHOST}/x' to='{ROOM}/spook'>{MUC}</presence>")
    assert router.occupancy.nick(*place) is None
    join(gateway, network)
    refused(f"<presence from='{GHOST}/x' to='{ROOM}/wraith'/>")
    refused(f"<presence from='{GHOST}/x' to='{ROOM}/spook' type='unavailable'/>")
    assert router.occupancy.nick(*place) == "spook"
    gateway.stop()


def leave(gateway: Gateway, network: Network) -> None:
    send(gateway, f"<presence from='{GHOST}/x' to='{ROOM}/spook' type='unavailable'/>")
    assert network.next().get("type") == "unavailable"


def be_removed(gateway: Gateway, network: Network) -> None:
    x = f"<x xmlns='{USER}'><status code='110'/><status code='307'/></x>"
    network.send(f"<presence from='{ROOM}/spook' to='{GHOST}/x' type='unavailable'>{x}</presence>", DOMAIN)


def be_removed_by_an_old_room(gateway: Gateway, network: Network) -> None:
    network.send(f"<presence from='{ROOM}/spook' to='{GHOST}/x' type='unavailable'><x xmlns='{USER}'/></presence>", DOMAIN)


@pytest.mark.parametrize("end", [leave, be_removed, be_removed_by_an_old_room])
def test_occupant_that_has_left(gateway: Gateway, network: Network, end: Callable[[Gateway, Network], None]) -> None:
    """What the room has sent may come late: it counts as one for an hour."""
    join(gateway, network)
    end(gateway, network)
    network.send(FROM_ROOM["private"], DOMAIN)
    assert network.silent(DOMAIN, ADMIN) == []
    assert not gateway.parts.router.occupancy.is_raw(parse_jid(f"{GHOST}/x"), parse_jid(ROOM))


def test_a_room_counts_as_one_for_an_hour_after_the_last_occupant() -> None:
    now = 0.0
    rooms = Occupancy(lambda: now)
    room, managed, raw = parse_jid(ROOM), parse_jid(f"{GHOST}/xmpp-rest"), parse_jid(f"{GHOST}/x")
    presence = parse_text(f"<presence>{MUC}</presence>")
    rooms.manage(managed, room)
    rooms.manage(managed, room)
    rooms.sent(presence, raw, parse_jid(f"{ROOM}/spook"))
    rooms.sent(presence, managed, parse_jid(f"{ROOM}/spook"))
    assert (rooms.is_raw(raw, room), rooms.is_raw(managed, room)) == (True, False)
    rooms.unmanage(managed, room)
    now = occupancy.LINGERS + 1
    assert rooms.is_room(room)
    assert [stanza.get("from") for stanza in rooms.leave()] == [str(raw)]
    now += occupancy.LINGERS - 1
    assert rooms.is_room(room)
    now += 1
    assert not rooms.is_room(room)


def test_stop_leaves_the_rooms(gateway: Gateway, network: Network) -> None:
    """Under the nick of now; and nobody else is told anything."""
    join(gateway, network)
    join(gateway, network, f"{ADMIN}/y", "attic@rooms.example")
    send(gateway, f"<presence from='{GHOST}/x' to='{ROOM}/poltergeist'/>")
    send(gateway, f"<presence from='{GHOST}/x' to='nurse@verona.example/window'/>")
    assert [network.next().get("to") for _ in range(2)] == [f"{ROOM}/poltergeist", "nurse@verona.example/window"]
    gateway.stop()
    left = [network.next() for _ in range(2)]
    assert {(p.get("from"), p.get("to"), p.get("type")) for p in left} == {
        (f"{GHOST}/x", f"{ROOM}/poltergeist", "unavailable"),
        (f"{ADMIN}/y", "attic@rooms.example/spook", "unavailable"),
    }


def test_occupant_without_an_account_in_a_hosted_room(gateway: Gateway) -> None:
    room = f"hall@conference.{DOMAIN}"
    gateway.parts.accounts.register(parse_jid(f"nurse@{DOMAIN}"), "x")
    for sender in (f"nurse@{DOMAIN}/x", f"{GHOST}/x"):
        send(gateway, f"<presence from='{sender}' to='{room}/{sender[:5]}'>{MUC}</presence>")
    for kind, to in (("groupchat", room), ("chat", f"{room}/ghost")):
        send(gateway, f"<message from='nurse@{DOMAIN}/x' to='{to}' type='{kind}'><body>boo</body></message>")
    assert gateway.parts.conference
    assert [row[0] for row in gateway.parts.conference.occupants("hall")] == [f"nurse@{DOMAIN}/x", f"{GHOST}/x"]


def test_occupancy_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(occupancy, "MAX_ADDRESSES", 10)
    rooms = Occupancy()
    for address in range(20):
        for n in range(occupancy.MAX_ROOMS + 10):
            sender, to = parse_jid(f"a{address}@{DOMAIN}/x"), parse_jid(f"r{n}@rooms.example/nick")
            rooms.sent(parse_text(f"<presence>{MUC}</presence>"), sender, to)
    assert not rooms.is_raw(parse_jid(f"a9@{DOMAIN}/x"), parse_jid("r50@rooms.example"))
    assert not rooms.is_raw(parse_jid(f"a19@{DOMAIN}/x"), parse_jid("r9@rooms.example"))
    assert rooms.is_raw(parse_jid(f"a19@{DOMAIN}/x"), parse_jid("r10@rooms.example"))
    assert len(rooms.leave()) == 10 * occupancy.MAX_ROOMS
    assert rooms.leave() == []
