"""An address without an account stays in a room of a real server until the gateway stops."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest

from .gateway import Gateway
from .proxy import Proxy
from .users import User
from .xmppserver import CONFERENCE, GATEWAY, XMPPServer

ROOM = f"hall@{CONFERENCE}"
MUC = "<x xmlns='http://jabber.org/protocol/muc'/>"


def about(nick: str, kind: str | None) -> Callable[[ET.Element], bool]:
    return lambda s: s.tag.endswith("}presence") and s.get("from") == f"{ROOM}/{nick}" and s.get("type") == kind


def by_xml(gateway: Gateway) -> None:
    gateway.send(f"<presence from='ghost@{GATEWAY}/x' to='{ROOM}/Ghost'>{MUC}</presence>")


def by_json(gateway: Gateway) -> None:
    answer = gateway.post_json({"kind": "presence", "from": f"ghost@{GATEWAY}/x", "to": f"{ROOM}/Ghost", "join": True})
    assert answer.status == 202


def by_groupchat_1(gateway: Gateway) -> None:
    gateway.send(f"<presence from='ghost@{GATEWAY}/x' to='{ROOM}/Ghost'/>")


@pytest.mark.parametrize("enter", [by_xml, by_json, by_groupchat_1])
def test_a_guest_without_an_account(
    start_gateway: Callable[..., Gateway], relay: Proxy, juliet: User, server: XMPPServer, enter: Callable[[Gateway], None]
) -> None:
    if enter is by_groupchat_1 and server.name == "prosody":
        pytest.skip("Prosody lets nobody in without the element of XEP-0045")
    gateway = start_gateway(relay.port)
    gateway.wait_state("online")
    juliet.send(f"<presence to='{ROOM}/Juliet'>{MUC}</presence>")
    juliet.wait(about("Juliet", None))
    juliet.iq(ROOM, "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query>", "set")
    enter(gateway)
    juliet.wait(about("Ghost", None))
    for n in range(3):
        juliet.send_message(ROOM, f"boo {n}", "groupchat")
        juliet.wait_message(f"boo {n}")
        juliet.send_message(f"{ROOM}/Ghost", f"psst {n}")
    juliet.iq(f"ghost@{GATEWAY}", "<ping xmlns='urn:xmpp:ping'/>")  # the gateway has had what was said
    gateway.send(f"<message from='ghost@{GATEWAY}/x' to='{ROOM}' type='groupchat'><body>still here</body></message>")
    juliet.wait_message("still here")
    assert not [s for s in juliet.drain() if about("Ghost", "unavailable")(s)]
    gateway.stop()
    juliet.wait(about("Ghost", "unavailable"))
