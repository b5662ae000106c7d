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
    return {"callback.bot": {"url": web.url("/bot"), "address": f"bot@{GATEWAY}", "retries": 1000, "retry_max": 1}}


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


def test_callbacks_go_on_in_order(machines: Machines, web: Callback, juliet: User) -> None:
    web.answers["/bot"] = Answer(503)
    owner = machines.owner()
    for number in range(FEW):
        juliet.send_message(f"bot@{GATEWAY}", f"bot {number}")
    web.wait_body("bot 0")
    until(lambda: owner.status()["callbacks"][0]["waiting"] == FEW)
    replace(machines, owner)
    web.answers["/bot"] = Answer(204)
    web.drain()
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
