"""Nothing is lost where the XMPP server ends or another takes its place, and beside ejabberd, which lets in any number of components."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.conftest import require, running
from tests.live.counting import RECEIVER, Receiver
from tests.live.ejabberd import Ejabberd
from tests.live.users import EventLoop
from tests.live.xmppserver import XMPPServer

from .clients import Numbering, check_answers, check_first_seen
from .conftest import LettingIn
from .counted import EACH, TWICE, count
from .happenings import HAPPENINGS, Happening
from .machines import Machines

FROZEN = [happening for happening in HAPPENINGS if happening.name == "owner-frozen"]


@pytest.fixture(scope="module", params=[LettingIn, Ejabberd], ids=["prosody", "ejabberd"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[XMPPServer]:
    require(request.param.program)
    yield from running(request.param(tmp_path_factory.mktemp(request.param.name) / "server"))


def refuse_components(machines: Machines) -> None:
    """The receiver is to be there again before the gateway: nobody keeps what comes for a component that is not there."""
    for node in machines.nodes:
        node.to_xmpp.up = False


def admit_components(machines: Machines, port: int) -> None:
    for node in machines.nodes:
        node.to_xmpp.target = port
        node.to_xmpp.up = True


def begin(machines: Machines, name: str) -> list[Numbering]:
    senders = [Numbering(nodes, f"{name}{n}@{RECEIVER}") for n, nodes in enumerate((machines.nodes, machines.nodes[::-1]))]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.wait_for(EACH // 3)
    return senders


def check(machines: Machines, receiver: Receiver, senders: list[Numbering]) -> None:
    for sender in senders:
        sender.wait_for(max(EACH, sender.accepted + EACH // 3))
        sender.end()
    twice = 0
    for sender in senders:
        receiver.wait_for(sender.accepted, to=sender.to)
        twice += check_first_seen(receiver.numbers[sender.to], sender.accepted)
        check_answers(sender.answers, lambda answer: answer.status == 202)
    assert twice < TWICE


def test_the_xmpp_server_restarts(machines: Machines, receiver: Receiver, server: XMPPServer) -> None:
    senders = begin(machines, "restarted")
    refuse_components(machines)
    server.kill()
    server.start()
    receiver.connect()
    admit_components(machines, server.component_port)
    check(machines, receiver, senders)


def test_another_xmpp_server_takes_its_place(
    machines: Machines, receiver: Receiver, server: XMPPServer, event_loop_thread: EventLoop, tmp_path_factory: pytest.TempPathFactory
) -> None:
    senders = begin(machines, "replaced")
    refuse_components(machines)
    server.kill()
    for second in running(type(server)(tmp_path_factory.mktemp("second") / "server")):
        there = Receiver(event_loop_thread, second)
        there.numbers = receiver.numbers
        there.connect()
        admit_components(machines, second.component_port)
        check(machines, there, senders)
        there.close()
        refuse_components(machines)
    server.start()
    admit_components(machines, server.component_port)


@pytest.mark.parametrize("server", [Ejabberd], indirect=True, ids=["ejabberd"])
@pytest.mark.parametrize("happening", FROZEN, ids=lambda happening: happening.name)
def test_the_owner_is_frozen(machines: Machines, receiver: Receiver, happening: Happening) -> None:
    count(machines, receiver, happening)
