"""What rooms of a scripted server say comes once, in order, to streams over HTTP, kept copies and callbacks (service/rooms/hearing.py)."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from flask import Flask
from werkzeug.serving import make_server

from drivers import StorageError
from tests.botapp import eventually, service
from tests.conftest import DOMAIN, MakeApp, basic, register_users
from tests.link.attached import until
from tests.link.network import Network
from tests.service.rooms.scripted import ACTOR, ROOM, Scripted
from tests.webservice import Answer, Service
from xmpp_rest.cli.access.events import ReceivedEvent, received
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.service.rooms import hearing
from xmpp_rest.service.rooms.values import Wish

__all__ = ["service"]

OCCUPANT = f"{ACTOR}/xmpp-rest"
NICK = "juliet"
JULIET = basic(str(ACTOR))
pytestmark = pytest.mark.plain_thread


class Listening(Scripted):
    """The gateway serves HTTP as well."""

    def __init__(self, make_app: MakeApp, network: Network) -> None:
        def made(**given: str) -> Flask:
            self.app = make_app(**given)
            return self.app

        super().__init__(made, network)
        self.opened: list[http.client.HTTPConnection | http.client.HTTPResponse] = []

    def start(self, **settings: str) -> Listening:
        super().start(**settings)
        self.server = make_server("127.0.0.1", 0, self.app, threaded=True)
        self.server.daemon_threads = True  # type: ignore[attr-defined]
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def stop(self) -> None:
        if self.gateway is not None:
            for each in self.opened:
                each.close()
            self.gateway.parts.streams.stop()
            self.server.shutdown()
            self.server.server_close()
        super().stop()

    def events(self, path: str = "/rest/stream", **fields: str) -> Iterator[ReceivedEvent]:
        """The events of juliet from now on."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        connection.request("GET", path, headers=JULIET | {name.replace("_", "-"): value for name, value in fields.items()})
        response = connection.getresponse()
        assert response.status == 200
        self.opened += [connection, response]
        return (event for event in received(response) if event.name)

    def hear(self, inner: str, nick: str = "/other", to: str = OCCUPANT, kind: str = "groupchat", identifier: str = "m") -> None:
        self.say(parse_text(f"<message from='{ROOM}{nick}' to='{to}' type='{kind}' id='{identifier}'>{inner}</message>"))

    def mail(self, body: str) -> None:
        response = self.app.test_client().post("/rest", json={"to": str(ACTOR), "body": body}, headers=basic("nurse"))
        assert response.status_code == 202

    def kept(self) -> list[str | None]:
        assert self.gateway is not None
        page = self.gateway.parts.hearing.find(ACTOR, self.place().room, 500)
        return [kept.stanza.findtext("body") for kept in page.items]


@pytest.fixture
def scripted(make_app: MakeApp, network: Network) -> Iterator[Listening]:
    listening = Listening(make_app, network)
    yield listening
    listening.stop()


def bodies(events: Iterator[ReceivedEvent], count: int) -> list[str]:
    return [said["body"] for said in stanzas(events, count)]


def stanzas(events: Iterator[ReceivedEvent], count: int) -> list[dict[str, Any]]:
    return [json.loads(event.data) for event in (next(events) for _ in range(count)) if event.name == "message"]


def test_a_stream_tells_of_the_membership_and_of_what_is_said(scripted: Listening) -> None:
    scripted.start()
    events = scripted.events()
    assert scripted.enter() is None
    comes, came_in = next(events), next(events)
    assert (comes.name, json.loads(comes.data)["state"], came_in.name) == ("room", "joining", "room")
    assert set(json.loads(came_in.data)) == {"room", "nick", "state", "since", "reason", "stay", "by"}
    assert (json.loads(came_in.data)["room"], json.loads(came_in.data)["state"]) == (ROOM, "in")
    scripted.hear(f"<body>hark</body><stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='s1'/>")
    heard = json.loads(next(events).data)
    assert (heard["type"], heard["from"], heard["to"], heard["body"]) == ("groupchat", f"{ROOM}/other", OCCUPANT, "hark")
    scripted.put_out("307", "110")
    out = json.loads(next(events).data)
    assert (out["state"], out["reason"]["status"]) == ("out", [110, 307])


def test_what_is_not_news_is_not_told(scripted: Listening) -> None:
    scripted.start()
    events = scripted.events()
    room = scripted.rooms[ROOM]
    room.has_subject = False
    entered = threading.Thread(target=scripted.enter)
    entered.start()
    until(lambda: str(scripted.place().occupant) in room.occupants)
    scripted.hear("<body>of old</body><delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/>")
    for _ in range(2):  # as ejabberd does for who comes in again
        scripted.hear("<subject>Tonight</subject>")
    entered.join(30)
    scripted.hear("<body>now</body>")
    scripted.hear("<subject>Tomorrow</subject>")
    now, tomorrow = stanzas((event for event in events if event.name == "message"), 2)
    assert (now["body"], tomorrow["subject"]) == ("now", "Tomorrow")


def test_history_that_was_asked_for(scripted: Listening) -> None:
    scripted.start()
    events = (event for event in scripted.events() if event.name == "message")
    room = scripted.rooms[ROOM]
    room.has_subject = False
    entered = threading.Thread(target=lambda: scripted.enter(Wish(history=5)))
    entered.start()
    until(lambda: str(scripted.place().occupant) in room.occupants)
    scripted.hear("<body>of old</body><delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/>")
    scripted.hear("<subject>Tonight</subject>")
    entered.join(30)
    (heard,) = stanzas(events, 1)
    assert (heard["body"], "2026-01-01T00:00:00Z" in json.dumps(heard["delay"])) == ("of old", True)


def test_the_past_that_was_heard_when_it_was_said_is_not_told_again(scripted: Listening) -> None:
    scripted.start()
    scripted.enter()
    live, past = "<stanza-id xmlns='urn:xmpp:sid:0' by='%s' id='s%d'/>", "<delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/>"
    scripted.hear("<body>one</body>" + live % (ROOM, 1), identifier="a")
    scripted.hear("<body>two</body>", identifier="b")
    until(lambda: scripted.kept() == ["one", "two"])
    assert scripted.memberships.leave(scripted.place())
    room = scripted.rooms[ROOM]
    room.has_subject = False
    until(lambda: str(scripted.place().occupant) not in room.occupants)
    events = (event for event in scripted.events() if event.name == "message")
    entered = threading.Thread(target=lambda: scripted.enter(Wish(history=5)))
    entered.start()
    until(lambda: str(scripted.place().occupant) in room.occupants)
    scripted.hear("<body>one</body>" + live % (ROOM, 1) + past, identifier="other")
    scripted.hear("<body>two</body>" + past, identifier="b")
    scripted.hear("<body>meanwhile</body>" + past, identifier="c")
    scripted.hear("<subject>Tonight</subject>")
    entered.join(30)
    assert bodies(events, 1) == ["meanwhile"]
    assert scripted.kept() == ["one", "two", "meanwhile"]


def test_what_a_room_has_shown_is_kept_at_once(scripted: Listening) -> None:
    scripted.start()
    client = scripted.app.test_client()
    for n in range(20):
        stanza = {"to": ROOM, "type": "groupchat", "body": str(n)}
        said = client.post("/rest", json=stanza, headers=JULIET | {"Prefer": "wait=20"})
        assert said.status_code == 200
        kept = client.get(f"/rest/rooms/{ROOM}/messages?max=1", headers=JULIET).get_json()
        assert [message["body"] for message in kept["messages"]] == [str(n)]


def test_streams_resume_over_mail_and_rooms_in_one_order(scripted: Listening) -> None:
    scripted.start(rooms_anywhere_keep="3")
    scripted.enter()
    events = scripted.events()
    for n in range(4):
        scripted.hear(f"<body>room {n}</body>")
        said = [next(events)]
        scripted.mail(f"mail {n}")
        said.append(next(events))
        if not n:
            first = said[0].id
    scripted.hear("<composing xmlns='http://jabber.org/protocol/chatstates'/>")
    assert next(events).id.endswith("~1")
    scripted.hear("<body>mine</body>", f"/{NICK}")
    own = next(events)
    scripted.mail("last")
    assert bodies(scripted.events(Last_Event_ID=own.id), 1) == ["last"]
    assert bodies(scripted.events(Last_Event_ID=said[1].id), 2) == ["mine", "last"]
    assert bodies(scripted.events(Last_Event_ID=first), 7) == ["mail 0", "mail 1", "room 2", "mail 2", "room 3", "mail 3", "mine"]
    assert scripted.kept() == ["room 2", "room 3", "mine"]
    listed = scripted.app.test_client().get("/api/messages", headers=JULIET).get_json()
    assert {item["body"] for item in listed} == {"mail 0", "mail 1", "mail 2", "mail 3", "last"}


def test_nothing_is_kept_if_that_is_configured(scripted: Listening) -> None:
    scripted.start(rooms_anywhere_keep="0")
    scripted.enter()
    events = scripted.events()
    client = scripted.events("/api/sse?rooms")
    scripted.hear("<body>mine</body>", f"/{NICK}")
    event = next(events)
    assert (json.loads(event.data)["body"], event.id) == ("mine", "~1")
    assert json.loads(next(client).data)["own"] is True
    assert scripted.kept() == []


def test_the_client_api_has_rooms_if_asked(scripted: Listening) -> None:
    scripted.start()
    scripted.enter()
    silent, telling = scripted.events("/api/sse"), scripted.events("/api/sse?rooms&resume")
    scripted.hear("<composing xmlns='http://jabber.org/protocol/chatstates'/>")
    scripted.hear("<body>hark</body><stanza-id xmlns='urn:xmpp:sid:0' by='x.example' id='forged'/>")
    scripted.hear(f"<body>aye</body><stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='s2'/>", f"/{NICK}", identifier="m2")
    scripted.hear("<body>psst</body>", kind="chat")
    hark, aye, psst = (next(telling) for _ in range(3))
    assert [event.name for event in (hark, aye, psst)] == ["muc.message", "muc.message", "message"]
    heard, own = json.loads(hark.data), json.loads(aye.data)
    assert heard.pop("timestamp") > 10**15
    assert heard == {
        "room": ROOM, "nick": "other", "from": f"{ROOM}/other", "id": "m", "stanza_id": None, "body": "hark", "own": False,
    }  # fmt: skip
    assert (own["nick"], own["stanza_id"], own["own"]) == (NICK, "s2", True)
    assert json.loads(next(silent).data)["body"] == "psst"
    again = scripted.events("/api/sse?rooms&resume", Last_Event_ID=hark.id)
    assert json.loads(next(again).data) == own


def test_a_blocked_occupant_is_not_heard(scripted: Listening) -> None:
    scripted.start()
    scripted.enter()
    events = scripted.events()
    block = {"kind": "iq", "type": "set", "from": str(ACTOR), "to": str(ACTOR)}
    xml = f"<iq type='set'><block xmlns='urn:xmpp:blocking'><item jid='{ROOM}/other'/></block></iq>"
    response = scripted.app.test_client().post("/rest", data=xml, content_type="application/xmpp+xml", headers=JULIET)
    assert response.status_code == 200, block
    next(event for event in events if event.name == "iq")
    scripted.hear("<body>blocked</body>")
    scripted.hear("<body>hark</body>", "/friend")
    assert bodies(events, 1) == ["hark"]


def test_the_error_of_a_private_message_is_told(scripted: Listening) -> None:
    scripted.start()
    scripted.enter()
    events = scripted.events()
    gone = "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
    scripted.hear(gone, kind="error")
    (refused,) = stanzas(events, 1)
    assert (refused["type"], refused["from"], refused["id"]) == ("error", f"{ROOM}/other", "m")


def test_queries_are_from_the_occupant(scripted: Listening) -> None:
    scripted.start()
    client = scripted.app.test_client()

    def asked() -> Element:
        client.get(f"/rest/archive/{ROOM}", headers=JULIET | {"Prosody-Rest-Timeout": "1"})
        return next(s for s in reversed(scripted.came) if s.tag == "iq" and s.find("{urn:xmpp:mam:2}query") is not None)

    assert asked().get("from") == str(ACTOR)
    scripted.enter()
    assert asked().get("from") == OCCUPANT


def test_a_callback_in_a_room_of_the_gateway(make_app: MakeApp, service: Service) -> None:
    service.answers["/"] = lambda request: Answer(200, "aye", "text/plain") if b"hark" in request.body else Answer(204)
    hall = f"hall@conference.{DOMAIN}"
    app = register_users(make_app(**bot(service, rooms=f"{hall}/Friar")))
    gateway: Gateway = app.extensions["gateway"]
    client = app.test_client()

    def send(xml: str) -> None:
        response = client.post("/rest", data=xml, content_type="application/xmpp+xml", headers=JULIET)
        assert response.status_code in (200, 202), response.data

    gateway.start()
    stream = gateway.parts.streams.open(ACTOR, holds_thread=False)
    send(f"<presence to='{hall}/Juliet'><x xmlns='http://jabber.org/protocol/muc'/></presence>")
    send(
        f"<iq type='set' to='{hall}'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query></iq>"
    )
    eventually(lambda: gateway.parts.memberships.counts()["in"])
    send(f"<message to='{hall}' type='groupchat'><body>hark</body></message>")

    def aye() -> list[tuple[str | None, str | None]]:
        event = stream.next(0.1)
        return [(event.stanza.get("from"), event.stanza.get("type"))] if event and event.stanza.findtext("body") == "aye" else []

    assert eventually(aye) == [(f"{hall}/Friar", "groupchat")]
    gateway.stop()


def bot(service: Service, **more: str) -> dict[str, str]:
    given = {"url": service.url("/"), "address": f"friar@{DOMAIN}", "rooms": f"{ROOM}/Friar", "content_type": "json"} | more
    return {f"callback_friar_{key}": value for key, value in given.items()}


def test_a_callback_hears_and_answers(scripted: Listening, service: Service) -> None:
    service.answers["/"] = lambda request: Answer(200, "aye", "text/plain") if b"hark" in request.body else Answer(204)
    scripted.start(**bot(service, kinds="iq", events="bare"))
    friar = f"friar@{DOMAIN}/xmpp-rest"
    until(lambda: friar in scripted.rooms[ROOM].occupants)
    eventually(lambda: scripted.gateway and scripted.gateway.parts.memberships.counts()["in"])
    scripted.hear("<body>hark</body>", to=friar)
    said = eventually(lambda: [s for s in list(scripted.came) if s.tag == "message" and s.findtext("body") == "aye"])[0]
    assert (said.get("from"), said.get("to"), said.get("type")) == (friar, ROOM, "groupchat")
    scripted.hear("<body>aye</body>", "/Friar", to=friar, identifier=said.get("id", ""))
    scripted.hear("<body>psst</body>", to=friar, kind="chat")
    scripted.hear("<body>end</body>", to=friar)
    service.wait_body("end")
    posted = [json.loads(request.body) for request in service.drain() if request.method == "POST"]
    assert [(said["from"], said["body"]) for said in posted] == [(f"{ROOM}/other", "hark"), (f"{ROOM}/other", "psst")]
    presences = [request for request in service.drain() if b"presence" in request.body]
    assert presences == []


def test_what_cannot_be_kept_is_told_and_has_no_id_of_its_own(
    scripted: Listening, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.start()
    scripted.enter()
    events = (event for event in scripted.events() if event.name == "message")
    scripted.hear("<body>zero</body>")
    zero = next(events)
    assert scripted.gateway is not None
    kept = scripted.gateway.parts.hearing._kept  # it is in no other part
    with monkeypatch.context() as failing:
        failing.setattr(kept, "add", failure(OSError("no disk")))
        scripted.hear("<body>one</body>")
        one = next(events)
    with monkeypatch.context() as failing:
        failing.setattr(hearing, "serialise", failure(BadXML("bad")))
        scripted.hear("<body>two</body>")
        two = next(events)
    with monkeypatch.context() as failing:
        failing.setattr(kept, "prune", failure(OSError("no disk")))
        scripted.hear("<body>three</body>")
        three = next(events)
        scripted.gateway.parts.hearing.settle()
    assert [json.loads(event.data)["body"] for event in (one, two, three)] == ["one", "two", "three"]
    assert (one.id, two.id) == (f"{zero.id}~1", f"{zero.id}~2")
    assert scripted.kept() == ["zero", "three"]
    lines = [record.getMessage() for record in caplog.records if record.name == "xmpp_rest.rooms"]
    assert any(f"messages of rooms to {ACTOR} are not kept" in line for line in lines)
    assert any(f"old messages of {ROOM} to {ACTOR} could not be removed" in line for line in lines)


def test_the_past_is_told_where_what_was_heard_cannot_be_read(scripted: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted.start()
    scripted.enter()
    scripted.hear("<body>one</body>", identifier="a")
    until(lambda: scripted.kept() == ["one"])
    assert scripted.memberships.leave(scripted.place())
    room = scripted.rooms[ROOM]
    room.has_subject = False
    until(lambda: str(scripted.place().occupant) not in room.occupants)
    events = (event for event in scripted.events() if event.name == "message")
    assert scripted.gateway is not None
    monkeypatch.setattr(scripted.gateway.parts.hearing._kept, "find", failure(StorageError("broken")))  # as above
    entered = threading.Thread(target=lambda: scripted.enter(Wish(history=5)))
    entered.start()
    until(lambda: str(scripted.place().occupant) in room.occupants)
    scripted.hear("<body>one</body><delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/>", identifier="a")
    scripted.hear("<subject>Tonight</subject>")
    entered.join(30)
    assert bodies(events, 1) == ["one"]


def test_a_storage_that_is_too_slow_delays_no_stanza_for_long(
    scripted: Listening, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.start()
    events = scripted.events()
    scripted.enter()
    assert [next(events).name for _ in range(2)] == ["room", "room"]
    with monkeypatch.context() as slow:
        slow.setattr(hearing, "WAITING", 0)
        slow.setattr(hearing, "LONGEST", 0.01)
        scripted.hear("<body>dropped</body>")
        until(lambda: any(f"a message of a room to {ACTOR} is dropped" in record.getMessage() for record in caplog.records))
    scripted.hear("<body>hark</body>")
    assert bodies(events, 1) == ["hark"]
    assert scripted.kept() == ["hark"]


def failure(error: Exception) -> Callable[..., Any]:
    def fails(*_: Any, **__: Any) -> Any:
        raise error

    return fails
