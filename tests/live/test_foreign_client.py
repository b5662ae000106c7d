"""The client API for accounts of real servers: their archives, and their rosters (accounts-anywhere §7.4)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from urllib3 import BaseHTTPResponse
from urllib3.util import make_headers

from .gateway import Gateway, Sections
from .tls_servers import FOREIGN, ForeignUser, TLSServer
from .users import EventLoop
from .xmppserver import PASSWORD

ROMEO, JULIET, BENVOLIO, MERCUTIO = (f"{name}@{FOREIGN}" for name in ("romeo", "juliet", "benvolio", "mercutio"))
MAM = "urn:xmpp:mam:2"


class ForeignClient:
    """Asks a gateway as accounts of the server."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def ask(self, method: str, path: str, user: str = "romeo", body: object = None) -> BaseHTTPResponse:
        fields = {"Content-Type": "application/json", "Connection": "close"}  # the next one may come to the other process
        headers = make_headers(basic_auth=f"{user}@{FOREIGN}:{PASSWORD}") | fields
        data = None if body is None else json.dumps(body)
        return self._gateway.http.request(method, f"/api{path}", body=data, headers=headers)

    def get(self, path: str, user: str = "romeo") -> Any:
        answer = self.ask("GET", path, user)
        assert answer.status == 200, (answer.status, answer.data)
        return answer.json()

    @contextmanager
    def listening(self, user: str) -> Iterator[None]:
        """An open event stream of this user."""
        headers = make_headers(basic_auth=f"{user}@{FOREIGN}:{PASSWORD}")
        response = self._gateway.http.request("GET", "/api/sse", headers=headers, preload_content=False)
        try:
            assert response.status == 200
            assert response.read(1) == b":"
            yield
        finally:
            response.close()

    def say(self, body: str, to: str, user: str = "romeo") -> str:
        answer = self.ask("POST", "/messages", user, {"to": to, "body": body})
        assert answer.status == 200, (answer.status, answer.data)
        identifier: str = answer.json()["id"]
        return identifier

    def change(self, method: str, path: str, user: str, body: object = None) -> None:
        answer = self.ask(method, path, user, body)
        assert answer.status == 204, (answer.status, answer.data)

    def contact(self, user: str, jid: str) -> tuple[str, str] | None:
        """Subscription and ask."""
        return next(((item["subscription"], item["ask"]) for item in self.get("/contacts", user) if item["jid"] == jid), None)


@pytest.fixture(scope="module")
def foreign_client(tls_server: TLSServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForeignClient]:
    sections: Sections = {"server": {"workers": 2}, "login.montague": tls_server.login_settings()}
    gateway = Gateway(tmp_path_factory.mktemp("gateway"), tls_server.component_port, sections)
    try:
        gateway.start()
        yield ForeignClient(gateway)
    finally:
        gateway.stop()


@pytest.fixture
def juliet(event_loop_thread: EventLoop, tls_server: TLSServer) -> Iterator[ForeignUser]:
    user = ForeignUser(event_loop_thread, tls_server, "juliet")
    user.connect()
    yield user
    user.close()


def bodies(items: list[dict[str, Any]]) -> list[str]:
    return [item["body"] for item in items]


def until_second_begins() -> None:
    """So that what is said now is in one second, for servers that keep no more of a time."""
    time.sleep(1 - time.time() % 1)


class TestHistory:
    def test_what_was_said_is_in_both_histories_at_once(self, foreign_client: ForeignClient) -> None:
        text = f"good pilgrim {uuid4()}"
        began = time.time()
        identifier = foreign_client.say(text, JULIET)
        item = foreign_client.get("/messages")[-1]
        assert {key: item[key] for key in ("from", "to", "id", "body")} == {"from": ROMEO, "to": JULIET, "id": identifier, "body": text}
        assert int(began) * 1000 - 2000 <= item["timestamp"] <= time.time() * 1000 + 2000
        assert foreign_client.get("/messages", "juliet")[-1]["id"] == identifier
        assert foreign_client.get(f"/messages/{ROMEO}", "juliet")[-1]["id"] == identifier

    def test_a_message_that_comes_back_is_sent_all_the_same(self, foreign_client: ForeignClient) -> None:
        identifier = foreign_client.say("is anybody there?", f"nobody@{FOREIGN}")
        assert foreign_client.get(f"/messages/nobody@{FOREIGN}")[-1]["id"] == identifier

    def test_with_one_and_with_one_resource(self, foreign_client: ForeignClient, juliet: ForeignUser) -> None:
        text = str(uuid4())
        juliet.send_message(BENVOLIO, f"from the balcony {text}")
        juliet.wait(lambda stanza: True)
        foreign_client.say(f"to the tomb {text}", f"{JULIET}/tomb", "benvolio")
        foreign_client.say(f"to romeo {text}", ROMEO, "benvolio")
        with_juliet = bodies(foreign_client.get(f"/messages/{JULIET}", "benvolio"))
        assert {f"from the balcony {text}", f"to the tomb {text}"} <= set(with_juliet)
        assert f"to romeo {text}" not in with_juliet
        with_balcony = bodies(foreign_client.get(f"/messages/{JULIET}%2Fbalcony", "benvolio"))
        assert f"from the balcony {text}" in with_balcony
        assert f"to the tomb {text}" not in with_balcony

    def test_only_what_people_say_is_shown(self, foreign_client: ForeignClient, juliet: ForeignUser) -> None:
        text = str(uuid4())
        juliet.send_message(MERCUTIO, f"headline {text}", "headline")
        juliet.send(f"<message to='{MERCUTIO}' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>")
        juliet.send_message(MERCUTIO, f"chat {text}", "chat")
        juliet.send_message(MERCUTIO, f"normal {text}", "normal")
        juliet.iq(juliet.bare, "<ping xmlns='urn:xmpp:ping'/>")
        assert [body for body in bodies(foreign_client.get("/messages", "mercutio")) if text in body] == [f"chat {text}", f"normal {text}"]

    def test_a_message_to_oneself_is_one(self, foreign_client: ForeignClient) -> None:
        text = f"note {uuid4()}"
        identifier = foreign_client.say(text, MERCUTIO, "mercutio")
        notes = [item for item in foreign_client.get("/messages", "mercutio") if item["body"] == text]
        assert [(note["from"], note["to"], note["id"]) for note in notes] == [(MERCUTIO, MERCUTIO, identifier)]
        assert bodies(foreign_client.get(f"/messages/{MERCUTIO}", "mercutio"))[-1] == text

    @pytest.mark.parametrize("limit", [1, 3, 4, 7])
    def test_pages_lose_and_repeat_nothing(self, foreign_client: ForeignClient, limit: int) -> None:
        until_second_begins()
        said = [f"{number} {uuid4()}" for number in range(12)]
        for number, text in enumerate(said):
            foreign_client.say(text, BENVOLIO)
            if number in (2, 3):
                until_second_begins()
        found: list[str] = []
        before = ""
        while said[0] not in found:
            page = foreign_client.get(f"/messages/{BENVOLIO}?limit={limit}{before}")
            assert page, "the history has ended too early"
            found = bodies(page) + found
            before = f"&before={page[0]['timestamp']}"
        assert found[found.index(said[0]) :] == said

    def test_a_page_beyond_what_the_server_gives_at_once(self, foreign_client: ForeignClient, juliet: ForeignUser) -> None:
        text = str(uuid4())
        for number in range(230):
            juliet.send_message(ROMEO, f"{number} {text}")
        juliet.iq(juliet.bare, "<ping xmlns='urn:xmpp:ping'/>")
        found = [body for body in bodies(foreign_client.get(f"/messages/{JULIET}?limit=400")) if text in body]
        assert found == [f"{number} {text}" for number in range(230)]


class TestContacts:
    def test_adding_keeps_name_and_groups_and_removing_says_what_was_there(
        self, foreign_client: ForeignClient, juliet: ForeignUser
    ) -> None:
        item = "<item jid='nurse@capulet.example' name='Angelica'><group>Household</group></item>"
        juliet.iq(juliet.bare, f"<query xmlns='jabber:iq:roster'>{item}</query>", "set")
        for jid in ("nurse@capulet.example", "peter@capulet.example"):
            foreign_client.change("POST", "/contacts", "juliet", {"jid": jid})
        roster = juliet.iq(juliet.bare, "<query xmlns='jabber:iq:roster'/>")
        found = {
            one.get("jid"): (one.get("name"), one.findtext("{jabber:iq:roster}group")) for one in roster.iter("{jabber:iq:roster}item")
        }
        assert found["nurse@capulet.example"] == ("Angelica", "Household")
        assert "peter@capulet.example" in found
        assert foreign_client.contact("juliet", "peter@capulet.example") == ("none", "none")
        several = {"to_delete": ["tybalt@capulet.example", "peter@capulet.example"]}
        answer = foreign_client.ask("DELETE", "/contacts", "juliet", several)
        assert answer.json() == {"not_deleted": ["tybalt@capulet.example"]}
        foreign_client.change("DELETE", "/contacts/nurse@capulet.example", "juliet")
        assert foreign_client.ask("DELETE", "/contacts/nurse@capulet.example", "juliet").status == 404

    @pytest.mark.parametrize("added", [True, False])
    def test_inviting_and_accepting(self, foreign_client: ForeignClient, *, added: bool) -> None:
        accept = foreign_client.ask("PUT", f"/contacts/{BENVOLIO}", "mercutio", {"action": "accept"})
        assert (accept.status, accept.json()) == (404, "Given contact does not exist")
        assert foreign_client.contact("mercutio", BENVOLIO) is None
        for user, other in (("benvolio", MERCUTIO), ("mercutio", BENVOLIO))[: 1 + added]:
            foreign_client.change("POST", "/contacts", user, {"jid": other})
        foreign_client.change("PUT", f"/contacts/{MERCUTIO}", "benvolio", {"action": "invite"})
        assert foreign_client.contact("benvolio", MERCUTIO) == ("none", "out")
        foreign_client.change("PUT", f"/contacts/{BENVOLIO}", "mercutio", {"action": "accept"})
        assert foreign_client.contact("benvolio", MERCUTIO) == ("to", "none")
        assert foreign_client.contact("mercutio", BENVOLIO) == ("from", "none")
        foreign_client.change("DELETE", f"/contacts/{MERCUTIO}", "benvolio")
        assert foreign_client.contact("benvolio", MERCUTIO) is None
        assert foreign_client.contact("mercutio", BENVOLIO) == ("none", "none")
        foreign_client.change("DELETE", f"/contacts/{BENVOLIO}", "mercutio")

    def test_who_listens_sees_requests(self, foreign_client: ForeignClient) -> None:
        foreign_client.change("POST", "/contacts", "juliet", {"jid": MERCUTIO})
        with foreign_client.listening("mercutio"):
            deadline = time.monotonic() + 60
            while foreign_client.contact("mercutio", JULIET) is None:  # the presence of who listens may still be on its way
                assert time.monotonic() < deadline
                foreign_client.change("PUT", f"/contacts/{MERCUTIO}", "juliet", {"action": "invite"})
            assert foreign_client.contact("mercutio", JULIET) == ("none", "in")
            foreign_client.change("PUT", f"/contacts/{JULIET}", "mercutio", {"action": "accept"})
            assert foreign_client.contact("mercutio", JULIET) == ("from", "none")
            assert foreign_client.contact("juliet", MERCUTIO) == ("to", "none")
            for user, other in (("juliet", MERCUTIO), ("mercutio", JULIET)):
                foreign_client.change("DELETE", f"/contacts/{other}", user)


class TestRooms:
    def test_these_servers_have_no_rooms_of_muc_light(self, foreign_client: ForeignClient) -> None:
        answer = foreign_client.ask("GET", "/rooms")
        assert (answer.status, answer.json()) == (404, "MUC Light server not found")
