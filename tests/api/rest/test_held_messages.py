"""Messages to rooms elsewhere while the link is down, over the end of the gateway, and from a second process (rooms-anywhere §3)."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pytest

from tests.api.rest.rooms_elsewhere import JULIET, OCCUPANT, Elsewhere
from tests.conftest import DOMAIN, MakeApp
from tests.link.attached import until
from tests.link.network import Network
from tests.service.rooms.scripted import ROOM, status
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.journal import read_entries
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.stanza import child, make
from xmpp_rest.service.messages.batch import OutboundMessage, OutboundMessages
from xmpp_rest.service.rooms.said import SpokenResult
from xmpp_rest.threads.waits import Wait


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network()
    yield network
    network.server.close()


@pytest.fixture
def elsewhere(make_app: MakeApp, network: Network) -> Iterator[Elsewhere]:
    elsewhere = Elsewhere(make_app, network)
    yield elsewhere
    elsewhere.stop()


def cut(elsewhere: Elsewhere) -> None:
    """End the stream, and let no other one begin."""
    network = elsewhere.network
    network.server.script = lambda connection: connection.sock.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        network._streams[DOMAIN].sock.shutdown(socket.SHUT_RDWR)
    until(lambda: elsewhere.streams() == {0})


def mend(elsewhere: Elsewhere) -> None:
    elsewhere.network.server.script = elsewhere.network._serve
    until(lambda: elsewhere.streams() != {0})


LINK = {"link_retry_max": "1"}


def test_who_is_in_is_held_while_the_link_is_down(elsewhere: Elsewhere) -> None:
    elsewhere.start(**LINK, rooms_anywhere_held="3")
    assert elsewhere.wait("One").status_code == 200
    cut(elsewhere)
    answers = [elsewhere.post(str(n), id=f"h{n}") for n in range(4)]
    assert [a.status_code for a in answers] == [202, 202, 202, 503]
    assert (answers[3].headers["Retry-After"], answers[3].get_json()["error"]["condition"]) == ("5", "resource-constraint")
    assert [elsewhere.outcome(f"h{n}")["state"] for n in range(4)] == ["accepted"] * 3 + ["404"]
    elsewhere.came.clear()
    mend(elsewhere)
    until(lambda: elsewhere.outcome("h2")["state"] == "reflected")
    assert elsewhere.bodies == ["0", "1", "2"]
    assert elsewhere.came[0].tag == "iq", "it asks whether it is in before it speaks"
    assert elsewhere.presences() == []


def test_a_room_that_has_thrown_it_out_meanwhile(elsewhere: Elsewhere) -> None:
    elsewhere.start(**LINK)
    assert elsewhere.wait("One").status_code == 200
    cut(elsewhere)
    assert elsewhere.post("Two", id="m2").status_code == 202
    elsewhere.room.occupants.pop(OCCUPANT)
    elsewhere.came.clear()
    mend(elsewhere)
    until(lambda: elsewhere.outcome("m2")["state"] == "reflected")
    assert elsewhere.came[0].tag == "iq"
    assert [stanza.tag for stanza in elsewhere.came if stanza.tag != "iq"] == ["presence", "message"]


def test_a_hook_that_is_put_out_while_it_is_asked_whether_it_is_in(elsewhere: Elsewhere) -> None:
    elsewhere.start(**LINK)
    made = elsewhere.client.post("/hooks", json={"name": "ops", "targets": [f"room:{ROOM}"]}, headers=JULIET).get_json()
    hook = f"juliet@{DOMAIN}/hook-ops"
    url = f"/hooks/{made['token']}"
    assert elsewhere.client.post(url, json={"message": "One"}).status_code == 200
    until(lambda: elsewhere.bodies == ["One"])
    asked: list[Element] = []

    def kick(stanza: Element) -> str | None:
        if not asked:
            nick = elsewhere.room.occupants.pop(hook)
            elsewhere.say(make("presence", status("307", "110", role="none"), type_="unavailable", from_=f"{ROOM}/{nick}", to_=hook))
        asked.append(stanza)
        return ""

    cut(elsewhere)
    elsewhere.room.rules["ping"] = kick
    mend(elsewhere)
    assert elsewhere.client.post(url, json={"message": "Two"}).status_code == 200
    until(lambda: elsewhere.bodies == ["One", "Two"])
    assert hook in elsewhere.room.occupants


def test_nobody_is_in_and_the_link_is_down(elsewhere: Elsewhere) -> None:
    elsewhere.start(**LINK)
    cut(elsewhere)
    response = elsewhere.post(id="m1")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert elsewhere.outcome("m1")["state"] == "404"


def test_what_is_held_for_too_long_is_refused(elsewhere: Elsewhere) -> None:
    elsewhere.start(**LINK, rooms_anywhere_hold="0.3")
    assert elsewhere.wait("One").status_code == 200
    cut(elsewhere)
    response = elsewhere.wait("Two", id="m2")
    assert (response.status_code, response.get_json()["error"]["condition"]) == (504, "remote-server-timeout")
    assert elsewhere.outcome("m2")["error"]["condition"] == "remote-server-timeout"
    mend(elsewhere)
    assert elsewhere.wait("Three").status_code == 200
    assert elsewhere.bodies == ["One", "Three"]


def test_what_was_written_and_not_shown_is_written_again(elsewhere: Elsewhere) -> None:
    elsewhere.start(**LINK, rooms_anywhere_reflection_timeout="60")
    assert elsewhere.wait("One").status_code == 200
    elsewhere.room.rules["message"] = lambda _: ""
    assert elsewhere.post("Two", id="m2").status_code == 202
    until(lambda: elsewhere.bodies == ["One", "Two"])
    cut(elsewhere)
    assert elsewhere.outcome("m2")["state"] == "accepted"
    del elsewhere.room.rules["message"]
    mend(elsewhere)
    until(lambda: elsewhere.outcome("m2")["state"] == "reflected")
    assert elsewhere.bodies == ["One", "Two", "Two"]


def test_what_is_held_survives_the_gateway(elsewhere: Elsewhere, tmp_path_factory: pytest.TempPathFactory) -> None:
    data = {"server_data_dir": str(tmp_path_factory.mktemp("data"))}
    elsewhere.start(**LINK, **data)
    assert elsewhere.wait("One").status_code == 200
    cut(elsewhere)
    assert [elsewhere.post(str(n), id=f"h{n}", nick="Jules").status_code for n in range(3)] == [202] * 3
    elsewhere.stop_gateway()
    elsewhere.network.server.script = elsewhere.network._serve
    elsewhere.room.occupants.pop(OCCUPANT)
    elsewhere.again(**LINK, **data)
    until(lambda: elsewhere.outcome("h2")["state"] == "reflected")
    assert elsewhere.bodies == ["One", "0", "1", "2"]
    assert elsewhere.room.occupants[OCCUPANT] == "Jules"
    journal = Path(data["server_data_dir"]) / "outbox" / f"rooms@{DOMAIN}.journal"
    until(lambda: read_entries(journal) == {})  # so that a crash repeats nothing
    elsewhere.stop_gateway()
    elsewhere.again(**LINK, **data)
    assert elsewhere.wait("Last").status_code == 200
    assert elsewhere.bodies == ["One", "0", "1", "2", "Last"]


def test_the_next_leader_knows_what_the_last_one_has_accepted(
    elsewhere: Elsewhere, network: Network, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = {"server_data_dir": str(tmp_path_factory.mktemp("data"))}
    elsewhere.start(**LINK, **data)
    assert elsewhere.wait("One").status_code == 200
    cut(elsewhere)
    assert elsewhere.post("Two", id="m2").status_code == 202
    elsewhere.stop_gateway()
    network.server.script = network._serve
    hold = threading.Event()

    def rule(_: Element) -> None:  # nobody comes in until then
        assert hold.wait(20)

    elsewhere.room.rules["info"] = rule
    elsewhere.again(**LINK, **data)
    assert elsewhere.gateway is not None
    stanza = make("message", child("body", "Two"), type_="groupchat", id_="m2", from_=f"juliet@{DOMAIN}", to_=ROOM)
    outgoing = OutboundMessage(stanza, parse_jid(f"juliet@{DOMAIN}"), parse_jid(ROOM))
    speaking = elsewhere.gateway.parts.speaking
    adopt = speaking._outbox.adopt

    def adopting(*given: Any) -> bool:
        found = adopt(*given)
        hold.set()
        return found

    monkeypatch.setattr(speaking._outbox, "adopt", adopting)
    (said,) = speaking.say_all(OutboundMessages([outgoing]), "", 20.0, Wait(30), again=True)
    assert (said.state, elsewhere.bodies) == ("reflected", ["One", "Two"])


def test_a_leader_that_ends_before_it_answers_is_followed_by_the_next_one(
    elsewhere: Elsewhere, network: Network, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = {"server_data_dir": str(tmp_path_factory.mktemp("data"))}
    elsewhere.start(**LINK, **data)
    assert elsewhere.wait("One").status_code == 200
    cut(elsewhere)
    assert elsewhere.post("Two", id="m2").status_code == 202
    elsewhere.stop_gateway()
    network.server.script = network._serve
    is_adopted = threading.Event()

    def rule(_: Element) -> None:  # nobody comes in until then
        assert is_adopted.wait(30)

    elsewhere.room.rules["info"] = rule
    elsewhere.again(**LINK, **data)
    assert elsewhere.gateway is not None
    speaking = elsewhere.gateway.parts.speaking
    adopt, say_all, calls = speaking._outbox.adopt, speaking.say_all, list[bool]()

    def adopts(*given: Any) -> bool:
        found = adopt(*given)
        is_adopted.set()
        return found

    def says(stanzas: OutboundMessages, nick: str, seconds: float | None, wait: Wait, again: bool = False) -> list[SpokenResult]:
        calls.append(again)
        if not again:
            raise GatewayError("unanswered")
        return say_all(stanzas, nick, seconds, wait, again=again)

    monkeypatch.setattr(speaking._outbox, "adopt", adopts)
    monkeypatch.setattr(speaking, "say_all", says)
    stanza = make("message", child("body", "Two"), type_="groupchat", id_="m2", from_=f"juliet@{DOMAIN}", to_=ROOM)
    outgoing = OutboundMessage(stanza, parse_jid(f"juliet@{DOMAIN}"), parse_jid(ROOM))
    assert speaking.has(outgoing)
    response = elsewhere.wait("Two", id="m2", seconds=40)
    assert (response.status_code, response.get_json()["id"], calls) == (200, "m2", [False, True])
    assert elsewhere.bodies == ["One", "Two"]
    until(lambda: not speaking.has(outgoing))


def test_a_follower(make_app: MakeApp, elsewhere: Elsewhere, tmp_path_factory: pytest.TempPathFactory) -> None:
    data = {"server_data_dir": str(tmp_path_factory.mktemp("data"))}
    elsewhere.start(**data)
    app = make_app(**elsewhere.network.settings, **data)
    app.extensions["gateway"].start()
    elsewhere.serve_by(app)
    assert not app.extensions["gateway"].parts.remote.group.is_leader
    response = elsewhere.wait("One", id="m1", fields={"Nick": "Jules"})
    assert (response.status_code, response.headers["Nick"], response.get_json()["from"]) == (200, "Jules", f"{ROOM}/Jules")
    assert elsewhere.outcome("m1")["nick"] == "Jules"
    assert elsewhere.post("Two").status_code == 202
    until(lambda: elsewhere.bodies == ["One", "Two"])
    elsewhere.room.rules["message"] = lambda _: "forbidden"
    response = elsewhere.wait("Three")
    assert (response.status_code, response.get_json()["error"]["by"]) == (403, ROOM)
    elsewhere.room.rules["message"] = lambda _: ""
    response = elsewhere.wait("Four", seconds=1, id="m4")
    assert (response.status_code, response.headers["Stanza-Id"]) == (504, "m4")
    response = elsewhere.post(to="gardn@conference.montague.example")
    assert (response.status_code, response.get_json()["error"]["by"]) == (404, "gardn@conference.montague.example")


def test_the_end_of_the_link_ends_what_has_come_in_by_itself(elsewhere: Elsewhere) -> None:
    elsewhere.start(**LINK)
    raw = f"juliet@{DOMAIN}/raw"
    presence = {"kind": "presence", "from": raw, "to": f"{ROOM}/Jules", "muc": {}}
    assert elsewhere.client.post("/rest", json=presence, headers=JULIET).status_code == 202
    until(lambda: raw in elsewhere.room.occupants)
    assert elsewhere.wait("One", sender=raw).headers["Nick"] == "Jules"
    cut(elsewhere)
    assert elsewhere.post("Two", sender=raw).status_code == 503
    mend(elsewhere)
    assert elsewhere.wait("Three", sender=raw).headers["Nick"] == "juliet"
    assert elsewhere.messages[-1].get("from") == OCCUPANT
    assert set(elsewhere.bodies) == {"One", "Three"}
