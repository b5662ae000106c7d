"""What is heard in rooms of real servers: by event streams, by callbacks, and by a bot as the page of the documentation has it."""

from __future__ import annotations

import http.client
import json
import re
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from itertools import islice
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from urllib3.util import make_headers

from tests.serving.load import until
from xmpp_rest.cli.access.events import ReceivedEvent, received

from .callback import Answer, Callback, Request
from .child import LOOPBACK, Child, answers, free_port
from .conftest import ONE_STREAM, logged_in
from .gateway import PASSWORD, Gateway
from .users import EventLoop, User
from .xmppserver import CONFERENCE, GATEWAY, XMPPServer

PAGE = Path(__file__).parents[2] / "docs/how-to/bot-in-a-room.md"
GARDEN, HALL, ATTIC = (f"{name}@{CONFERENCE}" for name in ("garden", "hall", "attic"))
MUC = "<x xmlns='http://jabber.org/protocol/muc'/>"
UNLOCK = "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query>"
ROMEO = f"romeo@{GATEWAY}"
BOTS = ("friar", "quiet", "echo", "parrot")


def block(kind: str) -> str:
    """The code of this kind on the page."""
    found = re.search(f"^```{kind}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


class Dicer(Child):
    """The bot of the page, at a port of its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = free_port()
        (folder / "dicer.py").write_text(block("python").replace("5000", str(self.port)))

    def command(self) -> list[str]:
        return [sys.executable, str(self.folder / "dicer.py")]

    def ready(self) -> bool:
        return answers(self.port)

    def section(self) -> dict[str, str]:
        """Its section of wsgi.ini, for the servers here."""
        ini = ConfigParser(interpolation=None)
        ini.read_string(block("ini"))
        section = dict(ini["callback.dicer"])
        there = {"gateway.example.org": GATEWAY, "conference.example.org": CONFERENCE, "5000": str(self.port)}
        for shown, real in there.items():
            section = {key: value.replace(shown, real) for key, value in section.items()}
        return section


class House:
    """A server with juliet in its rooms, and a gateway whose bots come into them by configuration alone."""

    def __init__(self, gateway: Gateway, juliet: User, web: Callback) -> None:
        self.gateway = gateway
        self.juliet = juliet
        self.web = web
        self.opened: list[http.client.HTTPConnection | http.client.HTTPResponse] = []

    def says(self, room: str, body: str, extra: str = "") -> str:
        """Have juliet speak; what the room gives her back has come when this returns. The id of her message."""
        identifier = self.juliet.send_message(room, body, "groupchat", extra)
        self.juliet.wait(lambda s: s.tag.endswith("}message") and s.get("id") == identifier)
        return identifier

    def posted(self, bot: str) -> list[dict[str, Any]]:
        """What came to a bot until now, once juliet has said its nick a last time."""
        room = GARDEN if bot == "friar" else HALL
        self.says(room, f"{bot}: the end")
        self.web.wait(lambda r: r.path == f"/{bot}" and b"the end" in r.body)
        requests = [r for r in self.web.drain() if r.method == "POST" and r.path == f"/{bot}"]
        return [json.loads(request.body) for request in requests]

    def reader(self, path: str, **fields: str) -> Iterator[ReceivedEvent]:
        """The events of romeo, from now on."""
        connection = http.client.HTTPConnection(LOOPBACK, self.gateway.port, timeout=30)
        headers = make_headers(basic_auth=f"{ROMEO}:{PASSWORD}") | {name.replace("_", "-"): value for name, value in fields.items()}
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        assert response.status == 200
        self.opened += [connection, response]
        return (event for event in received(response) if event.name)


def enter(user: User, room: str, nick: str) -> None:
    user.send(f"<presence to='{room}/{nick}'>{MUC}</presence>")
    user.wait(lambda s: s.tag.endswith("}presence") and s.get("from") == f"{room}/{nick}" and s.get("type") is None)
    user.iq(room, UNLOCK, "set")


def comes(user: User, room: str, nick: str) -> None:
    user.wait(lambda s: s.tag.endswith("}presence") and s.get("from") == f"{room}/{nick}" and s.get("type") is None)


@pytest.fixture(scope="module")
def house(server: XMPPServer, web: Callback, event_loop_thread: EventLoop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    users = logged_in(event_loop_thread, server, "juliet")
    juliet = next(users)
    for room in (GARDEN, HALL, ATTIC):
        enter(juliet, room, "Juliet")
    dicer = Dicer(tmp_path_factory.mktemp("dicer"))
    dicer.start()
    common = {"content_type": "json", "room_replies": 3}
    rooms = {"friar": f"{GARDEN}/friar", "quiet": f"{HALL}/quiet", "echo": f"{ATTIC}/echo", "parrot": f"{ATTIC}/parrot"}
    sections: dict[str, dict[str, object]] = {
        f"callback.{name}": {**common, "url": web.url(f"/{name}"), "address": f"{name}@{GATEWAY}", "rooms": rooms[name]} for name in BOTS
    }
    sections["callback.quiet"]["mentions"] = "yes"
    sections["callback.dicer"] = dict(dicer.section())
    gateway = Gateway(tmp_path_factory.mktemp("gateway"), server.component_port, {**ONE_STREAM, **sections})
    try:
        gateway.start()
        gateway.register("romeo")
        for room, nick in [(GARDEN, "friar"), (GARDEN, "Dicer"), (HALL, "quiet"), (ATTIC, "echo"), (ATTIC, "parrot")]:
            comes(juliet, room, nick)
        yield House(gateway, juliet, web)
    finally:
        gateway.stop()
        dicer.stop()
        next(users, None)


@pytest.fixture(autouse=True)
def alone(callback: Callback, house: House) -> Iterator[None]:
    """A test finds a callback service that answers nothing yet, and leaves no stream open."""
    assert callback.answers == {}
    yield
    while house.opened:
        house.opened.pop().close()


def test_the_bot_of_the_page(house: House) -> None:
    house.says(GARDEN, "roll 3d6")
    rolled = house.juliet.wait(lambda s: s.get("from") == f"{GARDEN}/Dicer" and s.find("{*}body") is not None)
    assert rolled.get("type") == "groupchat"
    assert re.fullmatch(r"Juliet rolled \d+ \[\d, \d, \d\]", rolled.findtext("{*}body") or "")
    house.juliet.send_message(f"{GARDEN}/Dicer", "roll 1d1")
    answer = house.juliet.wait(lambda s: s.get("from") == f"{GARDEN}/Dicer" and s.find("{*}body") is not None)
    assert (answer.get("type"), answer.findtext("{*}body")) == ("chat", "Juliet rolled 1 [1]")


def test_a_callback_hears_its_room_and_answers_there(house: House) -> None:
    house.posted("friar")  # what was said before is on its way no more
    house.web.answers["/friar"] = lambda request: Answer(200, "aye", "text/plain") if b"hark" in request.body else Answer(204)
    identifier = house.says(GARDEN, "hark")
    aye = house.juliet.wait_message("aye")
    assert (aye.get("type"), aye.get("from")) == ("groupchat", f"{GARDEN}/friar")
    house.juliet.send(f"<message to='{GARDEN}' type='groupchat'><subject>Tonight</subject></message>")
    house.juliet.wait(lambda s: s.find("{*}subject") is not None)
    first, *others = house.posted("friar")
    assert {key: first[key] for key in ("type", "from", "to", "body", "id")} == {
        "type": "groupchat", "from": f"{GARDEN}/Juliet", "to": f"friar@{GATEWAY}/xmpp-rest", "body": "hark", "id": identifier,
    }  # fmt: skip
    assert others == []  # neither its own message nor the subject


def test_errors_are_told_to_nobody_and_kept(house: House) -> None:
    house.web.answers["/friar"] = Answer(500, "<html>oops</html>", "text/html")
    house.says(GARDEN, "fail in public")
    house.juliet.send_message(f"{GARDEN}/friar", "fail in private")

    def letters() -> list[dict[str, Any]]:
        return house.gateway.request("GET", "/rest/callbacks/friar/dead", user="admin").json()["dead"]  # type: ignore[no-any-return]

    until(lambda: len(letters()) == 2, "two dead letters", found=letters)
    assert {letter["reason"] for letter in letters()} == {"500 Internal Server Error"}
    house.web.answers["/friar"] = Answer(200, "at last", "text/plain")
    replayed = house.gateway.request("POST", "/rest/callbacks/friar/replay", user="admin")
    assert len(replayed.json()["replayed"]) == 2
    assert {house.juliet.wait_message("at last").get("type") for _ in range(2)} == {"groupchat", "chat"}
    told = [s for s in house.juliet.drain() if s.get("type") == "error" or "Internal" in ET.tostring(s, "unicode")]
    assert told == []


def test_mentions_alone(house: House) -> None:
    house.web.answers["/quiet"] = lambda request: Answer(200, "here", "text/plain") if b"art thou" in request.body else Answer(204)
    house.says(HALL, "all is quieter now")
    house.says(HALL, "QUIET, art thou there?")
    here = house.juliet.wait_message("here")
    stanza_id = here.find("{urn:xmpp:sid:0}stanza-id")
    said = here.get("id", "") if stanza_id is None else stanza_id.get("id", "")
    house.says(HALL, "I see", f"<reply xmlns='urn:xmpp:reply:0' to='{HALL}/quiet' id='{said}'/>")
    house.says(HALL, "and he", f"<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:{HALL}/quiet'/>")
    house.says(HALL, "nothing")
    assert [stanza["body"] for stanza in house.posted("quiet")] == ["QUIET, art thou there?", "I see", "and he"]


def test_two_bots_do_not_answer_each_other_for_ever(house: House) -> None:
    def repeat(request: Request) -> Answer:
        return Answer(200, json.dumps({"body": f"{request.path} {json.loads(request.body)['body']}"[:100]}), "application/json")

    house.web.answers |= {"/echo": repeat, "/parrot": repeat}
    house.says(ATTIC, "Polly")

    def dropped() -> int:
        callbacks = house.gateway.request("GET", "/rest/callbacks", user="admin").json()["callbacks"]
        return sum(callback["dropped"] for callback in callbacks)

    until(lambda: dropped() >= 2, "dropped replies", found=dropped)

    def is_answer(stanza: ET.Element) -> bool:  # the room's subject is none
        return stanza.tag.endswith("}message") and stanza.get("from") in (f"{ATTIC}/echo", f"{ATTIC}/parrot")

    for _ in range(6):
        house.juliet.wait(is_answer)
    house.web.answers.clear()
    house.says(ATTIC, "the end")
    assert [ET.tostring(s, "unicode") for s in house.juliet.drain() if is_answer(s)] == []


def test_streams_have_rooms_and_mail_in_one_order(house: House) -> None:
    gateway = house.gateway
    events, client = house.reader("/rest/stream"), house.reader("/api/sse?rooms")

    def stanzas(source: Iterator[ReceivedEvent], count: int) -> list[tuple[str, Any, str]]:
        messages = (event for event in source if event.name == "message")
        return [(s["from"], s["body"], event.id) for event in islice(messages, count) if (s := json.loads(event.data))]

    assert gateway.post_json({"to": GARDEN, "type": "groupchat", "body": "one"}, "romeo", Prefer="wait=10").status == 200
    states = [json.loads(next(events).data)["state"] for _ in range(2)]
    assert states == ["joining", "in"]
    heard = stanzas(events, 1)
    house.says(GARDEN, "two")
    heard += stanzas(events, 1)
    gateway.post_json({"to": ROMEO, "body": "three"}, "admin")
    heard += stanzas(events, 1)
    house.says(GARDEN, "four")
    heard += stanzas(events, 1)
    nick, admin = f"{GARDEN}/romeo", f"admin@{GATEWAY}"
    assert [(sender, body) for sender, body, _ in heard] == [
        (nick, "one"), (f"{GARDEN}/Juliet", "two"), (admin, "three"), (f"{GARDEN}/Juliet", "four"),
    ]  # fmt: skip
    for n in range(3):
        again = house.reader("/rest/stream", Last_Event_ID=heard[n][2])
        assert stanzas(again, 3 - n) == heard[n + 1 :]
    said = [json.loads(event.data) for event in islice((e for e in client if e.name == "muc.message"), 3)]
    assert [(item["nick"], item["body"], item["own"]) for item in said] == [
        ("romeo", "one", True),
        ("Juliet", "two", False),
        ("Juliet", "four", False),
    ]
    assert said[0]["room"] == GARDEN
    assert set(said[0]) == {"room", "nick", "from", "id", "stanza_id", "body", "own", "timestamp"}
    kept = gateway.request("GET", f"/rest/rooms/{GARDEN}/messages", user="romeo").json()
    assert [message["body"] for message in kept["messages"]] == ["one", "two", "four"]
    assert [message["archive_id"] for message in kept["messages"]] == [heard[n][2] for n in (0, 1, 3)]
    listed = gateway.request("GET", "/api/messages", user="romeo").json()
    assert [message["body"] for message in listed if message["body"] in ("one", "two", "four")] == []


def test_the_archive_of_a_room_is_asked_by_the_occupant(house: House) -> None:
    house.gateway.post_json({"to": HALL, "type": "groupchat", "body": "hello"}, "romeo", Prefer="wait=10")
    answer = house.gateway.request("GET", f"/rest/archive/{HALL}", user="romeo", Accept="application/json")
    assert answer.status == 200
    (said,) = answer.json() if isinstance(answer.json(), list) else [answer.json()]
    assert (said["from"], said["to"]) == (HALL, f"{ROMEO}/xmpp-rest")


def test_what_a_killed_gateway_had_heard_is_answered_by_the_next(house: House) -> None:
    rules = [Answer(200, "too late", "text/plain", delay=5), Answer(200, "here again", "text/plain")]
    house.web.answers["/friar"] = lambda request: rules.pop(0) if b"art thou" in request.body and rules else Answer(204)
    house.says(GARDEN, "art thou there?")
    first = house.web.wait(lambda r: r.path == "/friar" and b"art thou" in r.body)
    house.gateway.kill()
    house.gateway.start()
    answer = house.juliet.wait_message("here again", timeout=60)
    assert (answer.get("from"), answer.get("type")) == (f"{GARDEN}/friar", "groupchat")
    again = house.web.wait(lambda r: r.path == "/friar" and b"art thou" in r.body)
    assert again.headers["webhook-id"] == first.headers["webhook-id"]
    house.says(GARDEN, "and now?")
    assert [stanza["body"] for stanza in house.posted("friar")] == ["and now?"]
