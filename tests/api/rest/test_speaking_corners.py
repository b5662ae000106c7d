"""Messages to rooms elsewhere that nobody waits for any more, that rooms refuse late, or that go straight out (rooms-anywhere §3)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from tests.api.rest.rooms_elsewhere import JULIET, OCCUPANT, Elsewhere
from tests.api.rest.test_held_messages import LINK, cut
from tests.conftest import DOMAIN, MakeApp
from tests.link.attached import until
from tests.link.late import LateJournals
from tests.link.network import Network
from tests.service.rooms.scripted import ROOM, error_presence
from xmpp_rest.errors import GatewayError
from xmpp_rest.link.journal import Journal, read_entries
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.stanza import refusal
from xmpp_rest.service.rooms import raw_occupants, speaking
from xmpp_rest.service.rooms.refused import RoomRefused
from xmpp_rest.service.rooms.values import Wish

RAW = f"juliet@{DOMAIN}/raw"
Told = SimpleQueue[RoomRefused | None]


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


def parts(elsewhere: Elsewhere) -> Any:
    assert elsewhere.gateway is not None
    return elsewhere.gateway.parts


def test_what_nobody_waits_for_any_more_is_not_sent_later(elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speaking, "TURNS", -29.5)
    elsewhere.start(rooms_anywhere_join_timeout="30")
    elsewhere.room.rules["join"] = lambda _: ""
    response = elsewhere.post("Lost", id="m1")
    assert (response.status_code, response.get_json()["error"]["condition"]) == (504, "remote-server-timeout")
    elsewhere.room.rules.clear()
    elsewhere.say(error_presence(ROOM, "juliet", OCCUPANT, "conflict"))  # so that it asks again, under another nick
    until(lambda: OCCUPANT in elsewhere.room.occupants)
    monkeypatch.undo()
    assert elsewhere.wait("Hello").status_code == 200
    assert (elsewhere.bodies, elsewhere.outcome("m1")["state"]) == (["Hello"], "404")


def test_a_refusal_that_comes_late(elsewhere: Elsewhere) -> None:
    elsewhere.start(rooms_anywhere_reflection_timeout="0.2")
    elsewhere.room.rules["message"] = lambda _: ""
    assert elsewhere.post(id="m1").status_code == 202
    outbox = parts(elsewhere).speaking._outbox
    until(lambda: len(elsewhere.messages) == 1 and not outbox.has(elsewhere.place(), "m1"))
    elsewhere.say(refusal(elsewhere.messages[0], stanza_error("forbidden")))
    until(lambda: elsewhere.outcome("m1")["state"] == "refused")
    assert elsewhere.outcome("m1")["error"]["condition"] == "forbidden"


def test_what_another_version_has_kept_is_left_out(elsewhere: Elsewhere, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    path = folder / "outbox" / f"rooms@{DOMAIN}.journal"
    path.parent.mkdir(parents=True)
    journal = Journal(path)
    list(journal.unacknowledged())
    journal.append(["[]", "no JSON", '[0, "<message/>", "", false, "", false]'], (), ["", "", ""])
    journal.close()
    assert len(read_entries(path)) == 3
    elsewhere.start(server_data_dir=str(folder))
    assert elsewhere.wait("Hello").status_code == 200
    assert elsewhere.bodies == ["Hello"]
    until(lambda: read_entries(path) == {})


def test_what_turns_out_to_be_kept_is_said(elsewhere: Elsewhere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journals = LateJournals(monkeypatch)
    folder = tmp_path / "data"
    elsewhere.start(server_data_dir=str(folder))
    stanza = f"<message from='{OCCUPANT}' to='{ROOM}' type='groupchat' id='m1'><body>Late</body></message>"
    journals.tell(f"rooms@{DOMAIN}", ["no JSON", json.dumps([time.time(), stanza, "", False, "", True])])
    assert elsewhere.wait("Hello").status_code == 200
    until(lambda: elsewhere.outcome("m1")["state"] == "reflected")
    assert sorted(filter(None, elsewhere.bodies)) == ["Hello", "Late"]
    until(lambda: read_entries(folder / "outbox" / f"rooms@{DOMAIN}.journal") == {})


def test_an_outbox_in_memory(elsewhere: Elsewhere, tmp_path: Path) -> None:
    elsewhere.start(server_data_dir=str(tmp_path / "data"), link_outbox="memory")
    assert elsewhere.wait("Hello", id="m1").status_code == 200
    assert elsewhere.outcome("m1")["state"] == "reflected"
    assert list((tmp_path / "data").rglob("*.journal")) == []


def test_who_has_come_in_by_itself_and_a_full_outbox(elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_occupants, "REMEMBERED", 1)
    elsewhere.start()
    presence = {"kind": "presence", "from": RAW, "to": f"{ROOM}/Jules", "muc": {}}
    assert elsewhere.client.post("/rest", json=presence, headers=JULIET).status_code == 202
    until(lambda: RAW in elsewhere.room.occupants)
    router = parts(elsewhere).router

    def full(*_: Any, **__: Any) -> None:
        raise GatewayError("outbox-full")

    with monkeypatch.context() as failing:
        failing.setattr(router, "send_out", full)
        assert elsewhere.wait("Lost", sender=RAW, id="m1").status_code == 503
    assert elsewhere.outcome("m1")["state"] == "404"
    elsewhere.room.rules["message"] = lambda _: ""
    assert elsewhere.post("Silence", sender=RAW).status_code == 202
    elsewhere.room.rules.clear()
    assert elsewhere.wait("Hello", sender=RAW).headers["Nick"] == "Jules"
    assert set(elsewhere.bodies) == {"Silence", "Hello"}


def test_the_end_of_the_link_ends_the_attempt_to_come_in(elsewhere: Elsewhere) -> None:
    elsewhere.start(**LINK)
    elsewhere.room.rules["join"] = lambda _: ""
    told: Told = SimpleQueue()
    elsewhere.memberships.enter(elsewhere.place(), Wish(), told.put)
    until(lambda: len(elsewhere.presences()) == 1)
    cut(elsewhere)
    refusals = [told.get(timeout=30)]
    until(lambda: elsewhere.streams() == {0})
    refusals.append(elsewhere.enter())
    assert [refused and (refused.status, refused.error.type) for refused in refusals] == [(503, "wait")] * 2


def test_whether_an_occupant_is_in_that_has_not_come_in(elsewhere: Elsewhere) -> None:
    elsewhere.start()
    told: Told = SimpleQueue()
    elsewhere.memberships.check(elsewhere.place(), told.put)
    assert told.get(timeout=30) is None
    elsewhere.memberships.confirmed(elsewhere.place(), told.put)
    refused = told.get(timeout=30)
    assert refused is not None
    assert (refused.status, refused.error.condition) == (409, "not-acceptable")
    assert elsewhere.presences() == []
    elsewhere.room.rules["join"] = lambda _: ""
    elsewhere.memberships.enter(elsewhere.place(), Wish(), told.put)
    elsewhere.memberships.confirmed(elsewhere.place(), told.put)
    until(lambda: len(elsewhere.presences()) == 1)
    elsewhere.say(error_presence(ROOM, "juliet", OCCUPANT, "forbidden"))
    assert [refused and refused.status for refused in (told.get(timeout=30) for _ in range(2))] == [403, 403]
