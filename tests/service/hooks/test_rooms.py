"""What hooks say in rooms, and how they come into them (hooks §3)."""

from __future__ import annotations

from dataclasses import replace
from xml.etree.ElementTree import Element

import pytest

from tests.conftest import DOMAIN
from tests.link.attached import until
from tests.service.hooks.conftest import hook, said
from tests.service.hooks.network import ROOM, Network
from xmpp_rest.errors import GatewayError
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.namespaces import MUC, MUC_USER
from xmpp_rest.protocol.stanza import child, make, refusal
from xmpp_rest.service.hooks import targets
from xmpp_rest.service.hooks.delivered import Result
from xmpp_rest.service.hooks.draft import Draft
from xmpp_rest.service.hooks.targets import Targets
from xmpp_rest.service.rooms.kept_messages import KeptMessages

ACTOR = f"juliet@{DOMAIN}/hook-ops"
CONFERENCE, LIGHT = "rooms.capulet.example", "muclight.capulet.example"


def send(gateway: Gateway, *to: str, text: str = "Fire", **members: str) -> list[Result]:
    return list(gateway.parts.hook_sender.send(hook(*(to or (f"room:{ROOM}",)), **members), said(text)))


def conditions(results: list[Result]) -> list[str | None]:
    return [result.error and result.error.condition for result in results]


def test_it_comes_in_before_it_speaks_and_stays(gateway: Gateway, network: Network) -> None:
    assert conditions(send(gateway) + send(gateway)) == [None, None]
    first, *messages = [stanza for stanza in network.sent if stanza.tag != "iq"]
    assert (first.tag, first.get("from"), first.get("to")) == ("presence", ACTOR, f"{ROOM}/ops")
    assert first.find(f"{{{MUC}}}x/{{{MUC}}}history[@maxstanzas='0']") is not None
    assert [(stanza.get("type"), stanza.get("from"), stanza.get("to")) for stanza in messages] == [("groupchat", ACTOR, ROOM)] * 2
    assert network.answered is None


def test_a_target_is_a_room_where_service_discovery_says_so(gateway: Gateway, network: Network) -> None:
    assert conditions(send(gateway, ROOM) + send(gateway, ROOM)) == [None, None]
    assert [stanza.get("type") for stanza in network.messages] == ["groupchat"] * 2
    assert [stanza.get("from") for stanza in network.sent if stanza.tag == "iq"] == [f"juliet@{DOMAIN}/hooks", ACTOR]  # before it comes in
    send(gateway, f"{ROOM}/nurse")
    assert network.messages[-1].get("type") == "chat"


def test_what_service_discovery_tells_holds_for_a_day(gateway: Gateway, network: Network) -> None:
    now, found = 0.0, []
    known = Targets(gateway.parts.router, LIGHT, CONFERENCE, lambda: now)

    def find(target: str) -> int:
        known.find(parse_jid(target), None, parse_jid(f"juliet@{DOMAIN}/hooks"), lambda kind: found.append(kind.value))
        return sum(stanza.tag == "iq" for stanza in network.sent)

    assert [find(ROOM), find(ROOM)] == [1, 1]
    assert [find("romeo@montague.example") for _ in range(2)] == [2, 3]  # an error is asked for again
    now = targets.KEPT
    assert find(ROOM) == 4
    assert [find(f"x@{CONFERENCE}"), find(f"x@{LIGHT}"), find(f"nurse@{DOMAIN}"), find("montague.example")] == [4] * 4
    assert found == ["room", "room", "person", "person", "room", "room", "light room", "person", "person"]


def test_a_taken_nick_gets_a_number(gateway: Gateway, network: Network) -> None:
    room = network.rooms[ROOM]
    room.taken |= {"Alarm", "Alarm_2"}
    assert conditions(send(gateway, nick="Alarm")) == [None]
    assert room.occupants == {ACTOR: "Alarm_3"}
    room.taken.add("Other")
    room.taken |= {"Other_2", "Other_3"}
    assert conditions(send(gateway, name="more", nick="Other")) == ["conflict"]
    assert conditions(send(gateway, name="odd", nick="\u0000")) == ["jid-malformed"]


def test_two_hooks_of_one_account_are_in_one_room(gateway: Gateway, network: Network) -> None:
    assert conditions(send(gateway) + send(gateway, name="more")) == [None, None]
    assert network.rooms[ROOM].occupants == {ACTOR: "ops", f"juliet@{DOMAIN}/hook-more": "more"}


WAYS_OUT = [
    ("301", "The hook was put out of the room: banned by Nurse: Too loud"),
    ("307", "The hook was put out of the room: kicked by Nurse: Too loud"),
    ("321", "The hook was put out of the room: membership ended by Nurse: Too loud"),
    ("322", "The hook was put out of the room: made for members only by Nurse: Too loud"),
]


@pytest.mark.parametrize(("code", "text"), WAYS_OUT)
def test_who_was_put_out_comes_in_again_and_speaks(gateway: Gateway, network: Network, code: str, text: str) -> None:
    room = network.rooms[ROOM]
    assert conditions(send(gateway)) == [None]
    network.say(room.presence(ACTOR, "unavailable", code, reason="Too loud", nick="Nurse"))
    assert room.occupants == {}
    assert conditions(send(gateway)) == [None]
    assert (room.occupants, len(network.messages)) == ({ACTOR: "ops"}, 2)
    room.refuses = lambda stanza: "forbidden" if stanza.tag == "presence" else None
    network.say(room.presence(ACTOR, "unavailable"))  # what was before does not count any more
    (result,) = send(gateway)
    assert (result.error and result.error.condition, result.error and result.error.text) == ("forbidden", "")


@pytest.mark.parametrize(("code", "text"), WAYS_OUT)
@pytest.mark.parametrize("said", ["", "Only for members."])
def test_who_is_not_let_in_again_is_told_how_it_was_put_out(gateway: Gateway, network: Network, code: str, text: str, said: str) -> None:
    room = network.rooms[ROOM]
    assert conditions(send(gateway)) == [None]
    network.say(room.presence(ACTOR, "unavailable", code, reason="Too loud", nick="Nurse"))
    room.refuses, room.says = lambda _: "registration-required", said
    for result in send(gateway) + send(gateway):
        assert result.error is not None
        assert result.error.condition == "registration-required"
        assert result.error.text == f"{said} {text}".strip()
    assert len(network.messages) == 1
    room.refuses = lambda _: None
    assert conditions(send(gateway)) == [None]


def test_who_is_put_out_while_it_speaks_comes_in_and_says_it(gateway: Gateway, network: Network) -> None:
    room = network.rooms[ROOM]
    assert conditions(send(gateway)) == [None]
    kicked: list[Element] = []

    def kick(stanza: Element) -> str | None:
        if stanza.tag == "message" and not kicked:
            kicked.append(room.presence(ACTOR, "unavailable", "307"))
            network.say(kicked[0])
        return None

    room.refuses = kick
    assert conditions(send(gateway)) == [None]
    assert (room.said, len(kicked)) == (2, 1)


def kick_once(gateway: Gateway, network: Network, monkeypatch: pytest.MonkeyPatch, then: str | None = None) -> None:
    """The room takes the next message, puts its sender out, and says nothing of the message; `then`: how it refuses who comes in after that."""
    room, kicked = network.rooms[ROOM], list[Element]()
    gateway.parts.speaking.configure(replace(gateway.settings.rooms_anywhere, reflection_timeout=3600), gateway.settings.sessions)

    def kick(stanza: Element) -> str | None:
        if stanza.tag == "message" and not kicked:
            kicked.append(room.presence(ACTOR, "unavailable", "307", reason="Too loud", nick="Nurse"))
            network.say(kicked[0])
        return then if kicked and stanza.tag == "presence" else None

    room.refuses = kick
    say = room.message
    monkeypatch.setattr(room, "message", lambda stanza, sender: say(stanza, sender) if sender in room.occupants else [])


def test_what_was_under_way_when_it_was_put_out_is_said_once_more(
    gateway: Gateway, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = send(gateway)
    kick_once(gateway, network, monkeypatch)
    (second,) = send(gateway, text="Smoke")
    until(lambda: network.rooms[ROOM].said == 2)
    assert (first.error, second.error) == (None, None)
    assert [stanza.get("id") for stanza in network.messages] == [first.id, second.id, second.id]


def test_what_was_under_way_is_refused_with_what_happened_if_it_is_not_let_in(
    gateway: Gateway, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert conditions(send(gateway)) == [None]
    kick_once(gateway, network, monkeypatch, "forbidden")
    (result,) = send(gateway)
    assert result.error is not None
    assert (result.error.condition, result.error.text) == ("forbidden", "The hook was put out of the room: kicked by Nurse: Too loud")
    assert len(network.messages) == 2


def test_what_is_under_way_is_said_once_more_and_no_more(gateway: Gateway, network: Network) -> None:
    room = network.rooms[ROOM]
    assert conditions(send(gateway)) == [None]

    def kick(stanza: Element) -> str | None:
        if stanza.tag == "message":
            network.say(room.presence(ACTOR, "unavailable", "307", reason="Too loud", nick="Nurse"))
        return None

    room.refuses = kick
    (result,) = send(gateway)
    assert result.error is not None
    assert (result.error.condition, len(network.messages)) == ("not-acceptable", 3)
    assert result.error.text.endswith("The hook was put out of the room: kicked by Nurse: Too loud")


def test_how_it_was_put_out_is_told_within_bounds(gateway: Gateway, network: Network) -> None:
    room = network.rooms[ROOM]
    assert conditions(send(gateway)) == [None]
    network.say(room.presence(ACTOR, "unavailable", "301", reason="x" * 100_000, jid="y" * 100_000))
    room.refuses = lambda _: "forbidden"
    (result,) = send(gateway)
    assert result.error is not None
    assert len(result.error.text) < 700


def test_who_is_in_the_room_cannot_refuse(gateway: Gateway, network: Network) -> None:
    room = network.rooms[ROOM]
    assert conditions(send(gateway)) == [None]
    forged: list[Element] = []

    def forge(stanza: Element) -> str | None:
        if stanza.tag == "message":
            forged.append(refusal(stanza, stanza_error("forbidden")))
            forged[-1].set("from", f"{ROOM}/nurse")
            network.say(forged[-1])
        return None

    room.refuses = forge
    assert conditions(send(gateway)) == [None]
    assert len(forged) == 1


@pytest.mark.parametrize("codes", [(), ("332",), ("307", "333")])
def test_who_got_lost_just_comes_back(gateway: Gateway, network: Network, codes: tuple[str, ...]) -> None:
    assert conditions(send(gateway)) == [None]
    network.say(network.rooms[ROOM].presence(ACTOR, "unavailable", *codes))
    assert conditions(send(gateway)) == [None]
    assert len(network.messages) == 2


def test_a_room_that_has_forgotten_it_gets_the_message_once_more(gateway: Gateway, network: Network) -> None:
    room = network.rooms[ROOM]
    (first,) = send(gateway)
    room.occupants.clear()  # it was restarted
    (second,) = send(gateway, text="Smoke")
    assert (first.error, second.error) == (None, None)
    assert [stanza.get("id") for stanza in network.messages] == [first.id, second.id, second.id]
    assert room.said == 2
    outcome = gateway.parts.sending.outcome(parse_jid(f"juliet@{DOMAIN}"), second.id)
    assert outcome is not None
    assert outcome.state != "refused"


def test_it_is_sent_at_most_twice(gateway: Gateway, network: Network) -> None:
    room = network.rooms[ROOM]
    assert conditions(send(gateway)) == [None]
    room.refuses = lambda stanza: "not-acceptable" if stanza.tag == "message" else None
    assert conditions(send(gateway)) == ["not-acceptable"]
    assert len(network.messages) == 3
    room.refuses = lambda stanza: "forbidden" if stanza.tag == "message" else None
    assert conditions(send(gateway)) == ["forbidden"]
    assert len(network.messages) == 4


def test_what_cannot_be_kept_is_not_said(gateway: Gateway, network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    assert conditions(send(gateway)) == [None]

    def full(*_: object) -> None:
        raise GatewayError("outbox-full")

    with monkeypatch.context() as patch:
        patch.setattr(KeptMessages, "append", full)
        assert conditions(send(gateway)) == ["resource-constraint"]
    assert len(network.messages) == 1
    assert conditions(send(gateway)) == [None]


@pytest.mark.parametrize("condition", ["forbidden", "registration-required", "not-authorized", "remote-server-not-found"])
def test_a_room_that_lets_nobody_in(gateway: Gateway, network: Network, condition: str) -> None:
    network.rooms[ROOM].refuses = lambda _: condition
    assert conditions(send(gateway) + send(gateway)) == [condition, condition]
    assert network.messages == []


def test_a_room_that_does_not_answer(gateway: Gateway, network: Network) -> None:
    impatient = replace(gateway.settings.rooms_anywhere, join_timeout=0.2)
    gateway.parts.memberships.configure(impatient)
    network.silent.add(ROOM)
    assert conditions(send(gateway)) == ["remote-server-timeout"]
    network.silent.clear()
    assert conditions(send(gateway)) == [None]


def test_a_room_that_shows_nothing_has_accepted_it(gateway: Gateway, network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network.rooms[ROOM], "message", lambda _stanza, _sender: [])
    assert conditions(send(gateway)) == [None]


def test_a_typing_error_makes_no_room(gateway: Gateway, network: Network) -> None:
    assert conditions(send(gateway, "room:wart@rooms.montague.example")) == ["item-not-found"]
    until(lambda: list(network.rooms) == [ROOM])
    assert network.messages == []


def test_rooms_that_nobody_enters(gateway: Gateway, network: Network) -> None:
    light = "yard@light.montague.example"
    network.light.add(light)
    assert conditions(send(gateway, f"room:{light}") + send(gateway, f"room:{light}") + send(gateway, light)) == [None] * 3
    assert [stanza.get("type") for stanza in network.messages] == ["groupchat"] * 3
    assert len(network.presences()) == 1


def test_what_rooms_say_is_taken_and_dropped(gateway: Gateway, network: Network) -> None:
    stream = gateway.parts.streams.open(parse_jid(f"juliet@{DOMAIN}"))
    send(gateway)
    while stream.next(0) is not None:  # what was sent
        pass
    router, nurse, actor = gateway.parts.router, parse_jid(f"{ROOM}/nurse"), parse_jid(ACTOR)
    private = child(f"{{{MUC_USER}}}x")
    for stanza in (
        make("message", child("body", "hi"), type_="groupchat", id_="1", from_=str(nurse), to_=ACTOR),
        make("message", child("body", "psst"), private, type_="chat", id_="2", from_=str(nurse), to_=ACTOR),
        make("message", type_="error", id_="3", from_=str(nurse), to_=ACTOR),
        make("presence", id_="4", from_=str(nurse), to_=ACTOR),
    ):
        assert router.deliver(stanza, nurse, actor) is None
    assert stream.next(0) is None


def test_what_rooms_say_to_a_hook_that_an_earlier_leader_has_let_in(gateway: Gateway, network: Network) -> None:
    stream = gateway.parts.streams.open(parse_jid(f"juliet@{DOMAIN}"))
    there = hook(f"room:{ROOM}")
    gateway.parts.hooks.make("ops", Draft(there.owner, None, (f"room:{ROOM}",)))
    nurse = parse_jid(f"{ROOM}/nurse")
    for name, is_shown in (("ops", False), ("phone", True)):  # the latter is a client of juliet's, whatever it is called
        to = parse_jid(f"juliet@{DOMAIN}/hook-{name}")
        stanza = make("message", child("body", "hi"), type_="groupchat", id_="1", from_=str(nurse), to_=str(to))
        assert gateway.parts.router.deliver(stanza, nurse, to) is None
        assert (stream.next(0) is not None) is is_shown


def test_it_leaves_when_it_is_changed_or_removed(gateway: Gateway, network: Network) -> None:
    rooms, room = gateway.parts.hook_rooms, network.rooms[ROOM]
    send(gateway)
    rooms.changed(hook(f"room:{ROOM}", format="json"))
    assert room.occupants == {ACTOR: "ops"}
    for changed in (hook(f"room:{ROOM}", nick="other"), hook(f"nurse@{DOMAIN}"), hook(f"room:{ROOM}", speaks_as=f"hooks@{DOMAIN}")):
        rooms.changed(changed)
        until(lambda: room.occupants == {})
        assert conditions(send(gateway)) == [None]
        assert room.occupants == {ACTOR: "ops"}
    rooms.removed(hook(f"room:{ROOM}"))
    until(lambda: room.occupants == {})
    room.occupants[ACTOR] = "ops"  # as an earlier leader has left it
    rooms.removed(hook(f"room:{ROOM}"))
    until(lambda: room.occupants == {})


def test_another_nick_counts_at_the_next_delivery(gateway: Gateway, network: Network) -> None:
    send(gateway)
    assert conditions(send(gateway, nick="other")) == [None]
    assert network.rooms[ROOM].occupants == {ACTOR: "other"}


def test_rooms_of_the_gateway(gateway: Gateway, network: Network) -> None:
    conference, muclight = gateway.parts.conference, gateway.parts.muclight
    assert conference is not None
    assert muclight is not None
    conference.create("ward", {"persistent": "true", "mam": "true"}, [], [])
    assert conditions(send(gateway, f"ward@{CONFERENCE}") + send(gateway, f"ward@{CONFERENCE}", text="Smoke")) == [None, None]
    assert conference.occupants("ward") == [[ACTOR, "ops", "participant"]]
    assert [f"<body>{text}</body>" in xml for text, (_, xml) in zip(("Fire", "Smoke"), conference.history("ward"), strict=True)] == [
        True,
        True,
    ]
    conference.destroy("ward", "Flooded", False)
    gone = send(gateway, f"ward@{CONFERENCE}") + send(gateway, f"ward@{CONFERENCE}")
    assert [(result.error and result.error.condition, result.error and result.error.text) for result in gone] == [
        ("gone", "The room was destroyed: Flooded"),
    ] * 2
    assert conference.names() == []
    assert conditions(send(gateway, f"room:yard@{LIGHT}")) == ["item-not-found"]


def test_the_stop_of_the_gateway_takes_it_out(gateway: Gateway, network: Network) -> None:
    send(gateway)
    gateway.parts.router.occupancy.leave()  # which knows of a hundred rooms of each address at most
    gateway.parts.leader._uplink = object()  # type: ignore[assignment]  # there is a link
    gateway.parts.leader.leave_rooms()
    gateway.parts.leader._uplink = None
    assert network.rooms[ROOM].occupants == {}
