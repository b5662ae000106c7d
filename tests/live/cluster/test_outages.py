"""What clients see while the database is away, or the standby whose confirmation a commit waits for; and what starts meanwhile."""

from __future__ import annotations

import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.live.child import NotStarted
from tests.live.counting import RECEIVER, Receiver
from tests.live.xmppserver import GATEWAY

from .clients import BROKEN, EventReader, Numbering, check_answers, check_first_seen, reading
from .counted import EACH, WHOLE
from .machines import Machines, until
from .node import Node


def test_the_database_is_down(machines: Machines, receiver: Receiver) -> None:
    """503 and never 500; streams stay, a process that starts meanwhile waits, and afterwards all is as it was."""
    sender = Numbering(machines.nodes, f"down@{RECEIVER}")
    stream = EventReader(machines.nodes, "romeo")
    readers = [reading(node) for node in machines.nodes]
    stream.start()
    assert stream.opened.wait(30)
    for client in (sender, *readers):
        client.start()
    sender.wait_for(EACH // 3)
    machines.databases.primary.halt()
    until(lambda: all(503 in client.statuses() for client in readers))
    until(lambda: sender.answers[-1].status == 503)
    for node in machines.nodes:
        os.kill(min(node.workers()), signal.SIGKILL)  # one that begins meanwhile waits, and the server lives on
    until(lambda: all(len(node.workers()) == 2 for node in machines.nodes))
    asked = time.monotonic()
    until(lambda: all(client.statuses(asked) == {503} for client in readers))
    machines.databases.primary.start()
    sender.wait_for(sender.accepted + EACH)
    for client in (sender, *readers):
        client.end()
    machines.settle()
    receiver.wait_for(sender.accepted, to=sender.to)
    check_first_seen(receiver.numbers[sender.to], sender.accepted)
    for client in (sender, *readers):
        check_answers(client.answers, lambda answer: answer.status in (200, 202, 503, BROKEN))
    stream.end()
    for node in machines.nodes:
        assert "Traceback" not in node.log()


def test_the_standby_is_gone(machines: Machines, receiver: Receiver) -> None:
    """What no standby has confirmed is not said to be kept; it is kept, and sent. Of many at once none waits for the failures of others."""
    node = machines.other(machines.owner())
    to = f"standby@{RECEIVER}"
    many = [to, *(f"standby{number}@{RECEIVER}" for number in range(5))]
    for each in many:
        assert send(node, each, 0) == 202
    machines.databases.lose_standby()
    began = time.monotonic()
    with ThreadPoolExecutor(len(many)) as pool:
        assert list(pool.map(lambda each: send(node, each, 1), many)) == [503] * len(many)
    assert time.monotonic() - began < 15
    assert node.request("GET", "/data/settings", user="romeo").status == 200
    machines.databases.follow()
    until(lambda: send(node, to, 2) == 202)
    until(lambda: 2 in receiver.numbers[to])
    assert list(dict.fromkeys(receiver.numbers[to])) in ([0, 1, 2], [0, 2])  # of many, some were refused before they were tried


def send(node: Node, to: str, number: int) -> int:
    """The status of one message."""
    answer = node.post_xml(f"<message to='{to}' type='chat' id='{to}{number}'><body>{number}</body></message>")
    assert answer.status != 503 or answer.headers["Retry-After"] == "5"
    return answer.status


def test_a_promoted_server_without_a_standby_serves_and_it_is_said(machines: Machines) -> None:
    machines.databases.fail_over()
    until(lambda: send(machines.nodes[0], f"alone@{RECEIVER}", 0) == 202)
    until(lambda: all(node.cluster()["copies"] == 1 for node in machines.nodes), 90)
    machines.databases.follow()
    until(lambda: all(node.cluster()["copies"] == 2 for node in machines.nodes), 90)


def test_a_copied_data_folder_takes_the_place_of_the_first(machines: Machines) -> None:
    """Two nodes with one id: the one that began later goes on."""
    first = machines.nodes[1]
    identifier = (first.folder / "data" / "node.id").read_text()
    copy = machines.make("copy")
    (copy.folder / "data").mkdir(mode=0o700)
    (copy.folder / "data" / "node.id").write_text(identifier)
    copy.start()
    until(lambda: not first.running)
    assert re.search(r"another.*node\.id|node\.id.*another", first.log())
    machines.remove(copy)


@pytest.mark.skipif(not WHOLE, reason="waits for half a minute: WHOLE_COUNTS=1")
def test_an_owner_without_the_xmpp_server_gives_way(machines: Machines, receiver: Receiver) -> None:
    owner = machines.owner()
    owner.to_xmpp.up = False
    owner.to_xmpp.cut()
    assert send(owner, f"without@{RECEIVER}", 0) == 202
    machines.owner(60, besides=owner)
    receiver.wait_for(1, to=f"without@{RECEIVER}")


def test_settings_of_another_gateway_do_not_join(machines: Machines) -> None:
    other = machines.make("montague", {"gateway": {"rooms_domain": f"others.{GATEWAY}"}})
    with pytest.raises(NotStarted, match=r"\[gateway\] rooms_domain"):
        other.start()
    machines.nodes.remove(other)
    other.close()
