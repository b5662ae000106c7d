"""What callbacks with rooms hear, and what becomes of their answers (service/callbacks/room_messages.py, room_replies.py)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pytest

from drivers import Driver
from tests.botapp import eventually
from tests.processes.memory import alone
from tests.webservice import Answer, Service
from xmpp_rest.config.room_readers import CallbackRoom
from xmpp_rest.config.table import CallbackSettings
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.journals import FileJournals
from xmpp_rest.link.pending import Pending
from xmpp_rest.link.router import Router
from xmpp_rest.metrics.counts import Counts
from xmpp_rest.protocol.element import serialise
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.protocol.parse import parse_text
from xmpp_rest.service.callbacks.dead_letters import DeadLetters
from xmpp_rest.service.callbacks.queue import CallbackQueue
from xmpp_rest.service.callbacks.room_messages import RoomMessages
from xmpp_rest.service.rooms.said import OnSaid
from xmpp_rest.service.rooms.values import RoomPlace

BOT, ROOM, HALL = parse_jid("friar@capulet.example"), parse_jid("garden@conference.example"), parse_jid("hall@conference.example")
NICK, OCCUPANT = "Friar", BOT.at("xmpp-rest")
ERROR = '{"type":"error","error":{"type":"cancel","condition":"gone"}}'


class Cell:
    """The callback of a bot that is in the garden."""

    def __init__(self, service: Service, driver: Driver, folder: Path, settings: CallbackSettings) -> None:
        self.service = service
        self.said: list[Element] = []
        self.refuse: Exception | None = None
        journals = FileJournals(folder)
        self.earlier: list[Element] = []
        self.dead = DeadLetters(driver, "capulet.example")
        router = Router(frozenset(("capulet.example",)), Pending(10), remote := alone())
        self.queue = CallbackQueue("friar", settings, router, self.say, self.dead, journals, remote.timers, Incidents(), Counts())
        self.rooms = RoomMessages({"friar": self.queue}, lambda _: NICK, lambda *_: self.earlier)

    def say(self, stanza: Element, on_said: OnSaid) -> None:
        self.said.append(stanza)
        on_said(self.refuse)

    def hear(self, inner: str, nick: str = "/juliet", kind: str = "groupchat", room: str = str(ROOM), *, own: bool = False) -> bool:
        stanza = parse_text(f"<message from='{room}{nick}' to='{OCCUPANT}' type='{kind}' id='m'>{inner}</message>")
        return self.rooms.heard(RoomPlace(OCCUPANT, parse_jid(room)), stanza, is_own=own)

    def heard(self) -> list[dict[str, Any]]:
        """What came to the URL so far, once a last message has come."""
        self.hear("<body>Friar: the end</body>")
        self.service.wait(lambda request: b"the end" in request.body)
        return [json.loads(request.body) for request in self.service.drain() if request.method == "POST"]

    def letters(self) -> list[str]:
        return [letter.reason for letter in self.dead.find("friar")]


MakeCell = Callable[..., Cell]


@pytest.fixture
def make_cell(service: Service, driver: Driver, tmp_path: Path) -> Iterator[MakeCell]:
    cells = []

    def make(**given: Any) -> Cell:
        values: dict[str, Any] = {
            "url": service.url("/"), "address": (BOT,), "content_type": "application/json", "rooms": (CallbackRoom(ROOM, NICK),),
            "kinds": frozenset(("iq",)), "timeout": 30.0, "concurrency": 4, "queue_size": 1000, "queue_share": 75, "keep": "disk", "retries": 0,
            "retry_max": 1.0, "reply_rate": 20, "invited_by": "admins", "dead_letters": 100, "secret": b"", "events": frozenset(),
            "mentions": False, "room_replies": 20,
        }  # fmt: skip
        cell = Cell(service, driver, tmp_path, CallbackSettings(**(values | given)))
        cells.append(cell)
        cell.queue.start()
        return cell

    yield make
    for cell in cells:
        cell.queue.stop()


@contextmanager
def answering(service: Service, *answers: Answer) -> Iterator[None]:
    """Answer so, one after the other, then with 204."""
    rest = list(answers)
    service.answers["/"] = lambda _: rest.pop(0) if rest else Answer(204)
    yield


def test_what_is_said_live_by_others_is_posted_as_it_came(make_cell: MakeCell) -> None:
    cell = make_cell()
    assert cell.hear("<body>hark</body>")
    assert cell.hear("<body>mine</body>", f"/{NICK}", own=True)
    assert cell.hear("<body>to myself</body>", f"/{NICK}", "chat")
    assert cell.hear("<body>of the room</body>", "")
    assert cell.hear("<subject>Tonight</subject>")
    assert cell.hear("<composing xmlns='http://jabber.org/protocol/chatstates'/>")
    assert cell.hear("<body>old</body><delay xmlns='urn:xmpp:delay' stamp='2026-01-01T00:00:00Z'/>")
    assert not cell.hear("<body>elsewhere</body>", room=str(HALL))
    assert cell.heard() == [
        {"kind": "message", "type": "groupchat", "from": f"{ROOM}/juliet", "to": str(OCCUPANT), "id": "m", "body": "hark"}
    ]


def test_mentions_alone(make_cell: MakeCell) -> None:
    cell = make_cell(mentions=True)
    cell.earlier = [parse_text(f"<message from='{ROOM}/{NICK}' id='before'><body>x</body></message>")]
    cell.hear("<body>nothing for a friary</body>")
    cell.hear("<body>FRIAR!</body>")
    cell.hear(f"<body>he there</body><reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:{BOT}'/>")
    cell.hear("<body>yes</body><reply xmlns='urn:xmpp:reply:0' id='s1'/>")
    cell.hear(f"<body>mine</body><stanza-id xmlns='urn:xmpp:sid:0' by='{ROOM}' id='s1'/>", f"/{NICK}", own=True)
    cell.hear("<body>and yes</body><reply xmlns='urn:xmpp:reply:0' id='s1'/>")
    cell.hear("<body>of old</body><reply xmlns='urn:xmpp:reply:0' id='before'/>")
    cell.hear("<body>psst</body>", kind="chat")
    assert [stanza["body"] for stanza in cell.heard()] == ["FRIAR!", "he there", "and yes", "of old", "psst"]


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, "aye", "text/plain"),
        Answer(200, '{"body":"aye"}', "application/json"),
        Answer(200, '{"type":"chat","to":"juliet@capulet.example","body":"aye"}', "application/json"),
        Answer(200, "<message><body>aye</body></message>", "application/xmpp+xml"),
    ],
    ids=["text", "json", "addressed", "xml"],
)
def test_an_answer_is_said_in_the_room(make_cell: MakeCell, service: Service, answer: Answer) -> None:
    cell = make_cell()
    with answering(service, answer):
        cell.hear("<body>Art thou there?</body>")
        (said,) = eventually(lambda: cell.said)
    assert (said.get("type"), said.get("from"), said.get("to"), said.findtext("body")) == ("groupchat", str(OCCUPANT), str(ROOM), "aye")
    assert said.get("id")
    assert cell.letters() == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer(500), "500 Internal Server Error"),
        (Answer(404, "no", "text/plain"), "404 Not Found"),
        (Answer(503), "503 Service Unavailable"),
        (Answer(302), "302 Found"),
    ],
)
@pytest.mark.parametrize("kind", ["groupchat", "chat"])
def test_errors_are_told_to_nobody(make_cell: MakeCell, service: Service, answer: Answer, reason: str, kind: str) -> None:
    cell = make_cell()
    with answering(service, answer):
        cell.hear("<body>hark</body>", kind=kind)
        assert eventually(cell.letters) == [reason]
    assert cell.said == []


@pytest.mark.parametrize(
    "answer", [Answer(204), Answer(202), Answer(200), Answer(200, "{}", "application/json"), Answer(200, ERROR, "application/json")]
)
@pytest.mark.parametrize("kind", ["groupchat", "chat"])
def test_nothing_is_said(make_cell: MakeCell, service: Service, answer: Answer, kind: str) -> None:
    cell = make_cell()
    with answering(service, answer):
        cell.hear("<body>hark</body>", kind=kind)
        cell.heard()
    assert (cell.said, cell.letters()) == ([], [])


def test_too_many_replies_are_dropped_and_counted(make_cell: MakeCell, service: Service) -> None:
    cell = make_cell(room_replies=3)
    with answering(service, *[Answer(200, "aye", "text/plain")] * 5):
        for n in range(5):
            cell.hear(f"<body>{n}</body>")
        eventually(lambda: cell.queue.room_replies.dropped == 2)
    assert len(cell.said) == 3
    assert cell.letters() == []


def test_what_finds_the_queue_full_is_dropped(make_cell: MakeCell, service: Service, caplog: pytest.LogCaptureFixture) -> None:
    cell = make_cell(queue_size=1, queue_share=100, concurrency=1)
    cell.queue.pool.pause()
    for n in range(4):
        cell.hear(f"<body>{n}</body>")
    assert "a message from garden@conference.example/juliet is dropped" in caplog.text
    cell.queue.pool.resume()
    service.wait(lambda request: b'"0"' in request.body)
    assert (cell.said, cell.letters()) == ([], [])


def test_a_room_that_refuses_an_answer_ends_nothing(make_cell: MakeCell, service: Service, caplog: pytest.LogCaptureFixture) -> None:
    cell = make_cell()
    cell.refuse = RuntimeError("forbidden")
    with answering(service, Answer(200, "aye", "text/plain")):
        cell.hear("<body>hark</body>")
        eventually(lambda: cell.said)
        cell.heard()
    assert "a reply is not said in garden@conference.example: forbidden" in caplog.text


def test_what_cannot_be_said_now_is_said_later(make_cell: MakeCell, service: Service) -> None:
    cell = make_cell(room_replies=1)
    cell.refuse = GatewayError("link-down")
    with answering(service, Answer(200, "aye", "text/plain")):
        cell.hear("<body>hark</body>")
        eventually(lambda: cell.said)
        cell.refuse = None
        eventually(lambda: len(cell.said) >= 2)
        cell.heard()
    assert len({said.get("id") for said in cell.said}) == 1
    assert (cell.queue.room_replies.dropped, cell.letters()) == (0, [])


def test_a_replayed_letter_is_answered_in_the_room(make_cell: MakeCell, service: Service) -> None:
    cell = make_cell()
    with answering(service, Answer(500), Answer(200, "aye", "text/plain")):
        cell.hear("<body>hark</body>")
        eventually(cell.letters)
        (letter,) = cell.dead.find("friar")
        assert "hark" in serialise(letter.delivery.stanza)
        assert cell.queue.replay(letter.delivery)
        assert eventually(lambda: cell.said)[0].get("to") == str(ROOM)
