"""Hooks in rooms of real servers: how they come in, what they are told, and that they come back where they were lost."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.serving.load import until

from .conftest import ONE_STREAM
from .gateway import Gateway
from .proxy import Proxy
from .users import User
from .xmppserver import CONFERENCE, DOMAIN, GATEWAY, XMPPServer

MUC = "<x xmlns='http://jabber.org/protocol/muc'/>"
UNLOCK = "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query>"
HOOKS = {**ONE_STREAM, "hooks": {"wait": 3}}
ACTOR = f"romeo@{GATEWAY}/hook-ops"


class Ward:
    """A room of the server with juliet in it, and a hook of romeo's that speaks there."""

    def __init__(self, gateway: Gateway, juliet: User, name: str) -> None:
        self.gateway = gateway
        self.juliet = juliet
        self.room = f"{name}@{CONFERENCE}"
        self.enter()
        made = gateway.post_json({"name": "ops", "nick": "Ops", "targets": [self.room], "update": True}, "romeo", "/hooks")
        assert made.status == 201, made.data
        self.path = f"/hooks/{made.json()['token']}"

    def enter(self) -> None:
        self.juliet.send(f"<presence to='{self.room}/Juliet'>{MUC}</presence>")
        self.juliet.wait(self.about("Juliet", None))
        self.juliet.iq(self.room, UNLOCK, "set")

    def about(self, nick: str, kind: str | None) -> Any:
        def is_meant(stanza: ET.Element) -> bool:
            return stanza.tag.endswith("}presence") and stanza.get("from") == f"{self.room}/{nick}" and stanza.get("type") == kind

        return is_meant

    def post(self, text: str, query: str = "") -> list[dict[str, Any]]:
        """The results of what the hook says."""
        answer = self.gateway.post_json({"message": text}, "", f"{self.path}{query}")
        results: list[dict[str, Any]] = answer.json()["results"]
        return results

    def says(self, text: str, query: str = "") -> tuple[dict[str, Any], ET.Element]:
        """Its only result, which is that it was accepted, and what juliet gets."""
        (result,) = self.post(text, query)
        assert result["outcome"] == "accepted", result
        return result, self.juliet.wait(lambda stanza: stanza.tag.endswith("}message") and stanza.get("id") == result["id"])

    def speak_until_heard(self) -> None:
        """Have juliet speak until the server knows that it cannot reach the hook."""
        for attempt in range(10):
            self.juliet.send_message(self.room, "Is anybody there?", "groupchat")
            with contextlib.suppress(TimeoutError):
                self.juliet.wait(lambda s: self.about("Ops", "unavailable")(s) or s.get("type") == "error", timeout=1 + attempt)
                return
        pytest.fail("the server takes the hook to be there")

    def puts_out(self, *item: str) -> None:
        """What its owner does to the hook; returns when the room has done it."""
        self.changes(*item)
        self.juliet.wait(self.about("Ops", "unavailable"))

    def changes(self, *item: str) -> None:
        """Have its owner change a role or an affiliation."""
        self.juliet.iq(
            self.room,
            f"<query xmlns='http://jabber.org/protocol/muc#admin'><item {' '.join(item)}><reason>Too loud</reason></item></query>",
            "set",
        )


@pytest.fixture
def ward(
    start_gateway: Callable[..., Gateway], relay: Proxy, juliet: User, server: XMPPServer, request: pytest.FixtureRequest
) -> Iterator[Ward]:
    gateway = start_gateway(relay.port, HOOKS)
    gateway.register("romeo")
    gateway.wait_state("online")
    yield Ward(gateway, juliet, f"ward-{abs(hash(request.node.name)) % 10**6}")
    juliet.drain()


def test_a_hook_in_a_room(ward: Ward, relay: Proxy) -> None:
    result, message = ward.says("Fire")
    assert (message.get("from"), message.get("id")) == (f"{ward.room}/Ops", result["id"])
    outcome = ward.gateway.request("GET", f"/rest/outcome/{result['id']}", user="romeo").json()
    assert (outcome["state"], outcome["room"]) == ("reflected", ward.room)
    # two matters: one corrected, one that juliet's words leave alone
    first, _ = ward.says("Down", "?key=k&state=1")
    corrected, message = ward.says("Up", "?key=k&state=2")
    replace = message.find("{urn:xmpp:message-correct:0}replace")
    assert (corrected["how"], replace is not None and replace.get("id")) == ("corrected", first["id"])
    replied, message = ward.says("Up", "?key=k&state=2")
    reply = message.find("{urn:xmpp:reply:0}reply")
    assert replied["how"] == "replied"
    assert reply is not None
    assert reply.get("to") == f"{ward.room}/Ops"
    # kicked, it comes back and speaks
    ward.puts_out("nick='Ops'", "role='none'")
    ward.says("Smoke")
    # lost without a word: somebody speaks while the link is cut, and Prosody puts it out (ejabberd without s2s does not)
    relay.up = False
    relay.cut()
    ward.gateway.wait_streams(lambda streams: streams[GATEWAY]["state"] != "online")
    ward.speak_until_heard()
    relay.up = True
    ward.gateway.wait_state("online")
    ward.says("Still there")
    # banned, it is told how each time it tries, until the room lets it in
    ward.puts_out(f"jid='romeo@{GATEWAY}'", "affiliation='outcast'")
    for error in (ward.post("Water")[0]["error"] for _ in range(2)):
        assert error["condition"] == "forbidden"
        assert "The hook was put out of the room: banned" in error["text"]
        assert error["text"].endswith(": Too loud")
    ward.changes(f"jid='romeo@{GATEWAY}'", "affiliation='member'")
    ward.says("Water")


def test_what_the_outbox_of_a_killed_gateway_has_left_is_said(ward: Ward, relay: Proxy) -> None:
    ward.says("Fire")
    relay.up = False
    relay.cut()
    ward.gateway.wait_streams(lambda streams: streams[GATEWAY]["state"] != "online")
    ward.puts_out("nick='Ops'", "role='none'")
    (result,) = ward.post("Smoke")
    assert result["outcome"] == "accepted"
    ward.gateway.kill()
    relay.up = True
    ward.gateway.start()
    ward.juliet.wait(lambda stanza: stanza.tag.endswith("}message") and stanza.get("id") == result["id"], timeout=60)


def test_who_refuses_does_not_keep_it_from_others(ward: Ward) -> None:
    targets = [f"nobody@{DOMAIN}", f"juliet@{DOMAIN}", f"room:{ward.room}"]
    made = ward.gateway.post_json({"name": "more", "targets": targets}, "romeo", "/hooks")
    results = ward.gateway.post_json({"message": "Fire"}, "", f"/hooks/{made.json()['token']}").json()["results"]
    assert [(result["to"], result["outcome"]) for result in results] == list(zip(targets, ("refused", "accepted", "accepted"), strict=True))
    assert results[0]["error"]["condition"] in ("service-unavailable", "item-not-found")
    ward.juliet.wait(lambda stanza: stanza.get("from") == f"romeo@{GATEWAY}/hooks")
    # a room forgets whom the server has lost; the next message is said once more, by who has come in again
    ward.gateway.request(
        "POST", "/rest", f"<presence from='romeo@{GATEWAY}/hook-more' to='{ward.room}/more' type='unavailable'/>", "application/xmpp+xml"
    )
    ward.juliet.wait(ward.about("more", "unavailable"))
    (*_, last) = ward.gateway.post_json({"message": "Smoke"}, "", f"/hooks/{made.json()['token']}").json()["results"]
    assert last["outcome"] == "accepted"
    ward.gateway.request("DELETE", "/hooks/more", user="romeo")
    ward.juliet.wait(ward.about("more", "unavailable"))


def test_a_typing_error_makes_no_room(ward: Ward) -> None:
    made = ward.gateway.post_json({"name": "typo", "targets": [f"room:wart@{CONFERENCE}"]}, "romeo", "/hooks")
    answer = ward.gateway.post_json({"message": "Fire"}, "", f"/hooks/{made.json()['token']}")
    assert answer.status == 502
    assert answer.json()["results"][0]["error"]["condition"] == "item-not-found"
    # the answer comes as soon as the room's does; what leaves a room that was made by it is on its way then
    question = "<query xmlns='http://jabber.org/protocol/disco#info'/>"
    until(lambda: ward.juliet.iq(f"wart@{CONFERENCE}", question).get("type") == "error", "there is no such room")


def test_the_stop_of_the_gateway_takes_it_out(ward: Ward) -> None:
    ward.says("Fire")
    ward.gateway.stop()
    ward.juliet.wait(ward.about("Ops", "unavailable"))
