"""The client API for accounts of another server (accounts-anywhere §7.4)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

import pytest

from tests.api.client.reader import parse
from tests.foreign_app import MONTAGUE, ROMEO, ForeignApp, MakeForeignApp, make_foreign_app, montague_folder
from tests.service.sessions.at_server import Speaks
from tests.service.sessions.fake_archive import BEGAN, JULIET, FakeArchive
from tests.service.sessions.fake_muclight import FakeMucLight
from tests.service.sessions.fake_roster import FakeRoster
from xmpp_rest.protocol.conditions import stanza_error
from xmpp_rest.protocol.stanza import child, make, refusal
from xmpp_rest.service.sessions.server_asks import ServerAsks
from xmpp_rest.threads.waits import Wait

__all__ = ["make_foreign_app", "montague_folder"]

BENVOLIO = f"benvolio@{MONTAGUE}"
ROOM = {"name": "Orchard", "subject": "walls"}


class Elsewhere:
    """An application, and what the server of its callers has for `romeo`."""

    def __init__(self, app: ForeignApp) -> None:
        self.app = app
        self.archive = FakeArchive(ROMEO, whole=True)
        self.roster = FakeRoster()
        self.light = FakeMucLight(MONTAGUE)
        app.server.handlers += [self.archive, self.light, self.roster]

    def get(self, path: str) -> object:
        answer = self.app.ask("GET", f"/api{path}")
        assert answer.status_code == 200, answer.text
        return answer.json

    def refused(self, method: str, path: str, **given: Any) -> tuple[int, object]:
        answer = self.app.ask(method, f"/api{path}", **given)
        return answer.status_code, answer.json


@pytest.fixture
def elsewhere(make_foreign_app: MakeForeignApp) -> Elsewhere:
    return Elsewhere(make_foreign_app())


class TestMessages:
    def test_what_is_sent_is_at_the_server_before_the_answer(self, elsewhere: Elsewhere) -> None:
        answer = elsewhere.app.ask("POST", "/api/messages", json={"to": BENVOLIO, "body": "hello"})
        assert answer.status_code == 200
        (message,) = elsewhere.app.server.received("romeo", "message")
        assert message.get("id") == answer.get_json()["id"]
        assert (message.get("to"), message.get("type"), message.findtext("body")) == (BENVOLIO, "chat", "hello")

    def test_a_message_that_comes_back_was_sent_all_the_same(self, elsewhere: Elsewhere) -> None:
        answer = elsewhere.app.ask("POST", "/api/messages", json={"to": f"nobody@{MONTAGUE}", "body": "hello"})
        assert answer.status_code == 200
        outcome = elsewhere.app.ask("GET", f"/rest/outcome/{answer.get_json()['id']}").get_json()
        assert outcome["state"] == "refused"

    def test_the_history_is_the_archive_of_the_server(self, elsewhere: Elsewhere) -> None:
        elsewhere.archive.add("good pilgrim", BEGAN + 0.7, JULIET, id_="")
        elsewhere.archive.add("ay, pilgrim", BEGAN + 1, ROMEO.at("orchard"), JULIET, id_="m1")
        first = {
            "from": "juliet@capulet.example",
            "to": str(ROMEO),
            "id": "x000000",
            "body": "good pilgrim",
            "timestamp": int(BEGAN) * 1000,
        }
        second = {"from": str(ROMEO), "to": "juliet@capulet.example", "id": "m1", "body": "ay, pilgrim", "timestamp": int(BEGAN + 1) * 1000}
        assert elsewhere.get("/messages") == [first, second]
        assert elsewhere.get("/messages?limit=1") == [second]
        assert elsewhere.get(f"/messages?before={int(BEGAN + 1) * 1000}") == [first]
        assert elsewhere.get("/messages/juliet@capulet.example") == [first, second]
        assert elsewhere.get("/messages/juliet@capulet.example%2Fbalcony") == [first, second]
        assert elsewhere.get("/messages/nurse@capulet.example") == []
        asked = len(elsewhere.archive.queries)
        assert elsewhere.get("/messages?limit=0") == []
        assert len(elsewhere.archive.queries) == asked

    def test_the_stanza_beside_its_json(self, elsewhere: Elsewhere) -> None:
        elsewhere.archive.add("good pilgrim", BEGAN, JULIET)
        answer = elsewhere.app.ask("GET", "/api/messages", headers={"Prefer": "xml"})
        assert "<body>good pilgrim</body>" in answer.get_json()[0]["xml"]

    def test_no_archive(self, elsewhere: Elsewhere) -> None:
        elsewhere.archive.features = []
        assert elsewhere.refused("GET", "/messages") == (501, "Message archive not available")
        assert elsewhere.refused("GET", "/messages?limit=x") == (400, "Invalid limit")

    def test_a_session_that_ends_meanwhile(self, elsewhere: Elsewhere) -> None:
        def ends(client: Speaks, stanza: Element) -> bool:
            if stanza.tag == "iq" and stanza[0].tag.endswith("}query"):
                elsewhere.app.server.session("romeo").management = ""
                stream = elsewhere.app.server.session("romeo").stream
                assert stream is not None
                stream.end("conflict", "Replaced by new connection")
                return True
            return False

        elsewhere.app.server.handlers.insert(0, ends)
        assert elsewhere.refused("GET", "/messages") == (503, f"The session at {MONTAGUE} broke off; try again")


class TestSilence:
    """What a server does not answer is 504, however many questions there are: the gateway itself is well."""

    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ServerAsks.each, "__defaults__", (Wait(0.2),))

    def test_a_room_that_does_not_answer(self, elsewhere: Elsewhere) -> None:
        elsewhere.light.make("orchard", str(ROMEO))
        elsewhere.app.server.handlers.insert(0, lambda _, stanza: str(stanza.get("to")).startswith("orchard@"))
        assert elsewhere.refused("GET", "/rooms") == (504, "The account's server does not answer")


class TestContacts:
    def test_the_roster(self, elsewhere: Elsewhere) -> None:
        elsewhere.roster.add("nurse@capulet.example", "both", "Household", name="Angelica")
        assert elsewhere.get("/contacts") == [{"jid": "nurse@capulet.example", "subscription": "both", "ask": "none"}]
        for jid in ("nurse@capulet.example", "juliet@capulet.example", "nobody@nowhere.example"):
            assert elsewhere.app.ask("POST", "/api/contacts", json={"jid": jid}).status_code == 204
        assert elsewhere.roster.items["nurse@capulet.example"].get("name") == "Angelica"
        assert list(elsewhere.roster.items) == ["nurse@capulet.example", "juliet@capulet.example", "nobody@nowhere.example"]
        assert elsewhere.refused("POST", "/contacts", json={"jid": str(ROMEO)}) == (400, f"Invalid JID: {ROMEO}")

    def test_inviting_and_accepting(self, elsewhere: Elsewhere) -> None:
        path = "/contacts/juliet@capulet.example"
        assert elsewhere.refused("PUT", path, json={"action": "invite"}) == (404, "Given contact does not exist")
        elsewhere.roster.add("juliet@capulet.example")
        for action in ("invite", "accept"):
            assert elsewhere.app.ask("PUT", f"/api{path}", json={"action": action}).status_code == 204
        assert elsewhere.roster.asked == [("subscribe", "juliet@capulet.example"), ("subscribed", "juliet@capulet.example")]

    def test_a_request_that_the_session_has_seen(self, elsewhere: Elsewhere) -> None:
        session = elsewhere.app.log_in()
        elsewhere.roster.pending.add("juliet@capulet.example")
        elsewhere.app.server.send("romeo", make("presence", type_="subscribe", from_="juliet@capulet.example", to_=str(session)))
        deadline = time.monotonic() + 60
        while not elsewhere.get("/contacts"):  # it takes another thread there
            assert time.monotonic() < deadline
        assert elsewhere.get("/contacts") == [{"jid": "juliet@capulet.example", "subscription": "none", "ask": "in"}]
        assert elsewhere.app.ask("PUT", "/api/contacts/juliet@capulet.example", json={"action": "accept"}).status_code == 204
        assert elsewhere.roster.asked == [("subscribed", "juliet@capulet.example")]
        assert elsewhere.get("/contacts") == [{"jid": "juliet@capulet.example", "subscription": "from", "ask": "none"}]

    def test_accepting_what_the_server_has_not_told_of(self, elsewhere: Elsewhere) -> None:
        path = "/contacts/juliet@capulet.example"
        assert elsewhere.refused("PUT", path, json={"action": "accept"}) == (404, "Given contact does not exist")
        elsewhere.roster.pending.add("juliet@capulet.example")
        assert elsewhere.app.ask("PUT", f"/api{path}", json={"action": "accept"}).status_code == 204
        assert elsewhere.get("/contacts") == [{"jid": "juliet@capulet.example", "subscription": "from", "ask": "none"}]

    def test_removing(self, elsewhere: Elsewhere) -> None:
        for name in ("nurse", "juliet", "peter"):
            elsewhere.roster.add(f"{name}@capulet.example", "both")
        assert elsewhere.app.ask("DELETE", "/api/contacts/nurse@capulet.example").status_code == 204
        text = "Cannot remove nurse@capulet.example contact that does not exist"
        assert elsewhere.refused("DELETE", "/contacts/nurse@capulet.example") == (404, text)
        several = {"to_delete": ["tybalt@capulet.example", "juliet@capulet.example", "peter@capulet.example"]}
        assert elsewhere.refused("DELETE", "/contacts", json=several) == (200, {"not_deleted": ["tybalt@capulet.example"]})
        assert elsewhere.roster.items == {}

    def test_what_the_server_refuses(self, elsewhere: Elsewhere) -> None:
        elsewhere.roster.unreadable = "internal-server-error"
        assert elsewhere.refused("GET", "/contacts") == (502, "The server does not give the roster: internal-server-error")


class TestRooms:
    def test_the_life_of_a_room(self, elsewhere: Elsewhere) -> None:
        ask = elsewhere.app.ask
        assert ask("PUT", "/api/rooms/orchard", json=ROOM | {"participants": [BENVOLIO]}).get_json() == {"id": "orchard"}
        assert elsewhere.get("/rooms") == [{"id": "orchard", **ROOM}]
        people = [{"user": str(ROMEO), "role": "owner"}, {"user": BENVOLIO, "role": "member"}]
        assert elsewhere.get(f"/rooms/orchard@muclight.{MONTAGUE}") == ROOM | {"participants": people}
        assert elsewhere.refused("PUT", "/rooms/orchard", json=ROOM) == (403, "Room already exists")
        assert ask("PUT", "/api/rooms/orchard/config", json={"name": "Garden", "subject": ""}).status_code == 204
        assert ask("POST", "/api/rooms/orchard/users", json={"user": "juliet@capulet.example"}).status_code == 204
        assert ask("DELETE", f"/api/rooms/orchard/users/{BENVOLIO}").status_code == 204
        room = elsewhere.light.rooms["orchard"]
        assert room.config == {"roomname": "Garden", "subject": ""}
        assert room.users == {str(ROMEO): "owner", "juliet@capulet.example": "member"}

    def test_a_room_with_a_name_of_the_gateway(self, elsewhere: Elsewhere) -> None:
        answer = elsewhere.app.ask("POST", "/api/rooms", json=ROOM)
        assert answer.status_code == 201
        assert list(elsewhere.light.rooms) == [answer.get_json()["id"]]

    def test_what_is_said(self, elsewhere: Elsewhere) -> None:
        elsewhere.light.make("orchard", str(ROMEO))
        answer = elsewhere.app.ask("POST", "/api/rooms/orchard/messages", json={"body": "hello", "markable": True})
        assert answer.status_code == 200, answer.text
        item = {
            "type": "message", "from": str(ROMEO), "id": answer.get_json()["id"], "timestamp": int(BEGAN) * 1000, "body": "hello",
            "markable": True,
        }  # fmt: skip
        assert elsewhere.get("/rooms/orchard/messages") == [item]
        assert elsewhere.get(f"/rooms/orchard/messages?before={int(BEGAN) * 1000}") == []

    def test_strangers_and_members(self, elsewhere: Elsewhere) -> None:
        elsewhere.light.make("tomb", "juliet@capulet.example", str(ROMEO))
        for path in "/rooms/kitchen", "/rooms/kitchen/messages":
            assert elsewhere.refused("GET", path) == (404, "Room not found")
        assert elsewhere.refused("POST", "/rooms/kitchen/messages", json={"body": "x"}) == (404, "Room not found")
        refusal = 403, "Given user does not have permission to change config"
        assert elsewhere.refused("PUT", "/rooms/tomb/config", json=ROOM) == refusal
        refusal = 403, "Given user does not have permission to change affiliations"
        assert elsewhere.refused("POST", "/rooms/tomb/users", json={"user": BENVOLIO}) == refusal
        assert elsewhere.refused("DELETE", "/rooms/tomb/users/juliet@capulet.example") == refusal
        assert elsewhere.app.ask("DELETE", f"/api/rooms/tomb/users/{ROMEO}").status_code == 204
        assert elsewhere.get("/rooms") == []

    def test_the_order_of_checks(self, elsewhere: Elsewhere) -> None:
        assert elsewhere.refused("PUT", "/rooms/kitchen/config", json={}) == (400, "Missing room name")
        assert elsewhere.refused("GET", "/rooms/x@muclight.capulet.example") == (400, "Invalid MUC Light domain")
        elsewhere.light.make("tomb", "juliet@capulet.example", str(ROMEO))
        elsewhere.light.make("orchard", str(ROMEO))
        text = "Validation failed for key: roomname with reason type_error"
        assert elsewhere.refused("PUT", "/rooms/orchard/config", json={"name": 1, "subject": ""}) == (400, text)

    def test_a_server_without_such_rooms(self, elsewhere: Elsewhere) -> None:
        elsewhere.light.features = []
        for method, path in ("GET", "/rooms"), ("POST", "/rooms"), ("GET", "/rooms/orchard/messages"):
            assert elsewhere.refused(method, path, json=ROOM) == (404, "MUC Light server not found")
        assert elsewhere.light.asked == 1

    def test_what_the_room_refuses_for_now(self, elsewhere: Elsewhere) -> None:
        elsewhere.light.make("orchard", str(ROMEO))

        def full(client: Speaks, stanza: Element) -> bool:
            if stanza.tag != "message":
                return False
            client.send(refusal(stanza, stanza_error("resource-constraint")))
            return True

        elsewhere.app.server.handlers.insert(0, full)
        text = "The room has refused this: resource-constraint"
        assert elsewhere.refused("POST", "/rooms/orchard/messages", json={"body": "x"}) == (503, text)


class TestEvents:
    def test_what_is_said_in_a_room_is_an_event_of_that_room(self, elsewhere: Elsewhere) -> None:
        session = elsewhere.app.log_in()
        response = elsewhere.app.ask("GET", "/api/sse")
        blocks: Iterator[bytes] = iter(response.response)  # type: ignore[arg-type]
        try:
            assert next(blocks).startswith(b":")
            said = make("message", child("body", "hello"), type_="groupchat", id_="g1", to_=str(session))
            for room in f"orchard@muclight.{MONTAGUE}", "tomb@rooms.capulet.example":
                said.set("from", f"{room}/juliet@capulet.example")
                elsewhere.app.server.send("romeo", said)
            own, other = (parse(block) for block in events(blocks, 2))
            assert (own.name, own.data["type"], own.data["room"], own.data["from"]) == (
                "room.message",
                "message",
                "orchard",
                "juliet@capulet.example",
            )
            assert (other.data["type"], other.data["from"]) == ("groupchat", "tomb@rooms.capulet.example/juliet@capulet.example")
        finally:
            response.close()


def events(blocks: Iterator[bytes], count: int) -> list[bytes]:
    """The next ones, without the comments."""
    found: list[bytes] = []
    deadline = time.monotonic() + 60
    while len(found) < count:
        assert time.monotonic() < deadline
        block = next(blocks)
        found += [] if block.startswith(b":") else [block]
    return found
