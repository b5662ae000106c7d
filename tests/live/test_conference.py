"""Users of a real server meet in rooms of the gateway, and commands reach them there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4
from xml.etree.ElementTree import Element

import pytest

from tests.link.attached import until

from .gateway import Gateway
from .users import User
from .xmppserver import GATEWAY

SERVICE = f"conference.{GATEWAY}"
MUC = "<x xmlns='http://jabber.org/protocol/muc'/>"
USER = "{http://jabber.org/protocol/muc#user}"


def command(gateway: Gateway, name: str, /, **args: Any) -> Any:
    """Run a command; its result."""
    answer = gateway.post_json(args, "admin", f"/api/{name}")
    assert answer.status == 200, (name, answer.data)
    return answer.json()


def codes(stanza: Element) -> set[str]:
    return {s.get("code", "") for s in stanza.iter(f"{USER}status")}


def enter(user: User, room: str, nick: str) -> Element:
    """Come in; one's own presence."""
    user.send(f"<presence to='{room}/{nick}'>{MUC}</presence>")
    return user.wait(lambda s: s.get("from") == f"{room}/{nick}" and "110" in codes(s))


@pytest.fixture
def room(gateway: Gateway) -> Iterator[str]:
    name = f"garden-{uuid4().hex}"
    command(gateway, "create_room", room=name, service=SERVICE, host=GATEWAY)
    yield f"{name}@{SERVICE}"
    if f"{name}@{SERVICE}" in command(gateway, "muc_online_rooms", service=SERVICE):
        command(gateway, "destroy_room", room=name, service=SERVICE)


def in_room(room: str) -> dict[str, str]:
    return {"room": room.partition("@")[0], "service": SERVICE}


def test_two_users_talk(gateway: Gateway, juliet: User, nurse: User, room: str) -> None:
    enter(juliet, room, "Juliet")
    enter(nurse, room, "Nurse")
    juliet.wait(lambda s: s.tag.endswith("}presence") and s.get("from") == f"{room}/Nurse")
    assert command(gateway, "get_room_occupants_number", **in_room(room)) == 2
    juliet.send_message(room, "what says Romeo?", "groupchat")
    heard = nurse.wait_message("what says Romeo?")
    assert (heard.get("from"), heard.get("type")) == (f"{room}/Juliet", "groupchat")
    juliet.wait_message("what says Romeo?")
    nurse.send_message(f"{room}/Juliet", "psst")
    assert juliet.wait_message("psst").get("from") == f"{room}/Nurse"


def test_history_for_whoever_comes_in_again(juliet: User, nurse: User, room: str) -> None:
    enter(juliet, room, "Juliet")
    for n in range(3):
        juliet.send_message(room, f"line {n}", "groupchat")
    juliet.wait_message("line 2")
    enter(nurse, room, "Nurse")
    shown = [nurse.wait_message(f"line {n}") for n in range(3)]
    assert all(m.find("{urn:xmpp:delay}delay") is not None for m in shown)
    nurse.wait(lambda s: s.tag.endswith("}message") and s.find("{*}subject") is not None)


def test_a_command_sends_somebody_away(gateway: Gateway, juliet: User, nurse: User, room: str) -> None:
    enter(juliet, room, "Juliet")
    enter(nurse, room, "Nurse")
    command(gateway, "set_room_affiliation/v0", name=room.partition("@")[0], service=SERVICE, jid=nurse.bare, affiliation="outcast")
    own = nurse.wait(lambda s: s.get("type") == "unavailable" and s.get("from") == f"{room}/Nurse")
    assert codes(own) == {"110", "301"}
    juliet.wait(lambda s: s.get("type") == "unavailable" and s.get("from") == f"{room}/Nurse")
    assert [o["nick"] for o in command(gateway, "get_room_occupants", **in_room(room))] == ["Juliet"]
    nurse.send(f"<presence to='{room}/Nurse'>{MUC}</presence>")
    refused = nurse.wait(lambda s: s.get("type") == "error" and s.get("from") == f"{room}/Nurse")
    assert refused.find("{*}error/{*}forbidden") is not None


def test_an_owner_kicks(gateway: Gateway, juliet: User, nurse: User) -> None:
    room = f"balcony-{uuid4().hex}@{SERVICE}"
    assert codes(enter(juliet, room, "Juliet")) == {"110", "201"}
    enter(nurse, room, "Nurse")
    kick = "<query xmlns='http://jabber.org/protocol/muc#admin'><item nick='Nurse' role='none'/></query>"
    assert juliet.iq(room, kick, "set").get("type") == "result"
    assert codes(nurse.wait(lambda s: s.get("type") == "unavailable" and s.get("from") == f"{room}/Nurse")) == {"110", "307"}
    juliet.send(f"<presence to='{room}/Juliet' type='unavailable'/>")
    juliet.wait(lambda s: s.get("type") == "unavailable" and s.get("from") == f"{room}/Juliet")
    until(lambda: room not in command(gateway, "muc_online_rooms", service=SERVICE))


def test_whoever_vanishes_leaves(gateway: Gateway, juliet: User, nurse: User, room: str) -> None:
    """The server tells the room of a client that is gone."""
    enter(juliet, room, "Juliet")
    enter(nurse, room, "Nurse")
    nurse.close()
    juliet.wait(lambda s: s.get("type") == "unavailable" and s.get("from") == f"{room}/Nurse")
    assert command(gateway, "get_room_occupants_number", **in_room(room)) == 1


def test_an_invitation_and_a_subscription(gateway: Gateway, juliet: User, nurse: User, room: str) -> None:
    command(gateway, "send_direct_invitation", **in_room(room), password="", reason="come", users=[nurse.bare])
    invited = nurse.wait(lambda s: s.find("{jabber:x:conference}x") is not None)
    assert invited.find("{jabber:x:conference}x").get("jid") == room  # type: ignore[union-attr]
    command(gateway, "change_room_option", **in_room(room), option="allow_subscription", value="true")
    # in this order they hear of it, so that the archive of Romeo has it when the nurse does
    command(gateway, "subscribe_room", user="romeo", host=GATEWAY, nick="Romeo", **in_room(room), nodes=["urn:xmpp:mucsub:nodes:messages"])
    command(gateway, "subscribe_room/v1", user=nurse.bare, nick="Nurse", room=room, nodes=["urn:xmpp:mucsub:nodes:messages"])
    enter(juliet, room, "Juliet")
    juliet.send_message(room, "it was the lark", "groupchat")
    event = nurse.wait(lambda s: s.find(".//{*}items[@node='urn:xmpp:mucsub:nodes:messages']") is not None)
    assert event.findtext(".//{*}item/{*}message/{*}body") == "it was the lark"
    assert command(gateway, "get_mam_count", user="romeo", host=GATEWAY) >= 1


def test_a_client_asks_about_the_service(juliet: User, room: str) -> None:
    items = juliet.iq(SERVICE, "<query xmlns='http://jabber.org/protocol/disco#items'/>")
    assert room in {i.get("jid") for i in items.iter("{http://jabber.org/protocol/disco#items}item")}
    info = juliet.iq(room, "<query xmlns='http://jabber.org/protocol/disco#info'/>")
    assert info.find(".//{*}feature[@var='muc_public']") is not None
    refused = juliet.iq(room, "<query xmlns='jabber:iq:roster'/>")
    assert refused.find("{*}error/{*}feature-not-implemented") is not None
