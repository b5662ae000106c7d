"""A gateway that was alone becomes a node, and is alone again: what it has promised meanwhile is sent, in order (many-machines §13)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.live.conftest import ONE_STREAM
from tests.live.counting import RECEIVER, Receiver
from tests.live.xmppserver import XMPPServer

from .databases import Databases
from .machines import Machines, until
from .node import Node

FEW = 3
ALONE = {"cluster": {"kind": "none"}}


@pytest.fixture
def machines(databases: Databases, server: XMPPServer, tmp_path: Path) -> Iterator[Machines]:
    made = Machines(tmp_path, databases, server, {**ONE_STREAM, "server": {"workers": 1}})
    yield made
    made.close()


@contextmanager
def running(node: Node) -> Iterator[Node]:
    """It runs, without a way to the XMPP server, and is ended in order."""
    node.to_xmpp.up = False
    node.begin()
    until(lambda: node.ready())
    yield node
    node.stop()
    node.close()


def send(node: Node, to: str, first: int) -> None:
    for number in range(first, first + FEW):
        answer = node.post_json({"to": to, "type": "chat", "body": str(number)})
        assert answer.status == 202, answer.data


def test_to_several_and_back(machines: Machines, receiver: Receiver) -> None:
    to = f"joined@{RECEIVER}"
    with running(machines.make("web1", ALONE)) as alone:
        send(alone, to, 0)
    with running(machines.make("web1")) as one_of_several:
        until(one_of_several.owns)
        send(one_of_several, to, FEW)
        outbox = one_of_several.folder / "data" / "outbox"
        assert {path.suffix for path in outbox.iterdir()} == {".joined"}
    with running(machines.make("web1", ALONE)) as again:
        send(again, to, 2 * FEW)
        assert receiver.different(to) == 0
        again.to_xmpp.up = True
        receiver.wait_for(3 * FEW, to=to)
        assert list(dict.fromkeys(receiver.numbers[to])) == [*range(3 * FEW)]


def test_a_node_that_does_not_own_hands_over_what_it_has_kept(machines: Machines, receiver: Receiver) -> None:
    to = f"handed@{RECEIVER}"
    with running(machines.make("web2", ALONE)) as alone:
        send(alone, to, 0)
    owner = machines.add("web1")
    until(owner.owns)
    with running(machines.make("web2")):
        receiver.wait_for(FEW, to=to)
        assert list(dict.fromkeys(receiver.numbers[to])) == [*range(FEW)]
