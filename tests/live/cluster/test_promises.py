"""What a node that was killed had promised is done by the next: what waits for a callback, and what waits for its time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.live.callback import Answer, Callback
from tests.live.conftest import running
from tests.live.counting import RECEIVER, Receiver
from tests.live.users import EventLoop, User
from tests.live.xmppserver import GATEWAY, XMPPServer

from .machines import Machines, until
from .node import Node

FEW = 10


@pytest.fixture(scope="module")
def web() -> Iterator[Callback]:
    yield from running(Callback())


@pytest.fixture(scope="module")
def sections(web: Callback) -> dict[str, dict[str, object]]:
    """A bot that both nodes know."""
    return {"callback.bot": {"url": web.url("/bot"), "address": f"bot@{GATEWAY}", "retries": 100, "retry_max": 1}}


@pytest.fixture
def juliet(event_loop_thread: EventLoop, server: XMPPServer) -> Iterator[User]:
    user = User(event_loop_thread, server, "juliet")
    user.connect()
    yield user
    user.close()


def replace(machines: Machines, owner: Node) -> Node:
    """Kill the node that owns; the next that does."""
    owner.kill()
    return machines.owner(besides=owner)


def kept(machines: Machines, journal: str) -> int:
    """How many entries the journals whose names are like this have."""
    with machines.databases.connection() as connection:
        found = connection.execute("SELECT COUNT(*) FROM xmpprest_journal WHERE name LIKE %s", (journal,)).fetchone()
    assert found is not None
    return int(found[0])


def test_callbacks_go_on_in_order(machines: Machines, web: Callback, juliet: User) -> None:
    web.answers["/bot"] = Answer(503)
    owner = machines.owner()
    for number in range(FEW):
        juliet.send_message(f"bot@{GATEWAY}", f"bot {number}")
    web.wait_body("bot 0")
    until(lambda: kept(machines, "callback:%") == FEW)  # before, nobody was told anything
    replace(machines, owner)
    web.answers["/bot"] = Answer(204)
    heard: dict[str, str] = {}
    while len(heard) < FEW:
        request = web.wait(lambda request: request.path == "/bot")
        body, identifier = request.stanza.findtext("{*}body") or "", request.headers["webhook-id"]
        assert heard.setdefault(body, identifier) == identifier, "what is posted again has its id again"
    assert list(heard) == [f"bot {number}" for number in range(FEW)]


def test_a_message_waits_for_its_time(machines: Machines, receiver: Receiver) -> None:
    owner = machines.owner()
    to = f"scheduled@{RECEIVER}"
    at = int(time.time()) + 4
    for number, node in enumerate(machines.nodes):
        message = json.dumps({"to": to, "type": "chat", "body": str(number)})
        answer = node.request("POST", "/rest", message, "application/json", Send_At=str(at + number))
        assert answer.status == 202, answer.data
        assert answer.json()["id"].startswith("sch_")
    replace(machines, owner)
    receiver.wait_for(2, to=to)
    assert time.time() >= at
    assert list(dict.fromkeys(receiver.numbers[to])) == [0, 1]


def test_what_is_accepted_is_readable_everywhere_at_once_and_its_outcome_outlives_its_owner(machines: Machines, receiver: Receiver) -> None:
    owner = machines.owner()
    other = machines.other(owner)
    to = f"promised@{RECEIVER}"
    for node in machines.nodes:  # so that the server gets nothing yet
        node.to_xmpp.up = False
        node.to_xmpp.cut()
    for number in range(FEW):
        answer = other.post_json({"to": to, "type": "chat", "body": str(number), "id": f"promise-{number}"}, "romeo")
        assert answer.status == 202, answer.data
        for node in machines.nodes:
            newest = node.request("GET", f"/api/messages/{to}?limit=1", user="romeo").json()
            assert [message["body"] for message in newest] == [str(number)]
    assert kept(machines, f"outbox:{GATEWAY}") >= FEW
    replace(machines, owner)
    for number in range(FEW):
        outcome = other.request("GET", f"/rest/outcome/promise-{number}", user="romeo")
        assert (outcome.status, outcome.json()["state"]) == (200, "accepted")
    assert other.request("GET", "/rest/outcome/never-sent", user="romeo").status == 404
    other.to_xmpp.up = True
    receiver.wait_for(FEW, to=to)
    assert receiver.numbers[to] == [*range(FEW)]
    until(lambda: other.request("GET", f"/rest/outcome/promise-{FEW - 1}", user="romeo").json()["state"] == "confirmed")
    until(lambda: kept(machines, f"outbox:{GATEWAY}") == 0)
