"""Every process of every machine reads its own configuration, and who asked hears where that failed (many-machines §9)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import cast

import pytest

from tests.many import in_threads
from tests.processes.memory import MemoryGroup, processes
from xmpp_rest.gateway import node_reloads
from xmpp_rest.gateway.node_reloads import NodeReloads, Reloaded


class Machines:
    """Processes of several machines; the first leads. `said`: what each finds in its file."""

    def __init__(self, *nodes: str) -> None:
        self.remotes = processes(len(nodes))
        self.reloads = [0] * len(nodes)
        self.said = [Reloaded(node, "", []) for node in nodes]
        self.never = threading.Event()
        self.stuck: set[int] = set()
        self.parts = [
            NodeReloads(node, self._reload_of(place), remote) for place, (node, remote) in enumerate(zip(nodes, self.remotes, strict=True))
        ]
        for remote in self.remotes:
            remote.start()

    def _reload_of(self, place: int) -> Callable[[], Reloaded]:
        def reload() -> Reloaded:
            self.reloads[place] += 1
            if place in self.stuck:
                self.never.wait(60)
            return self.said[place]

        return reload

    def close(self) -> None:
        self.never.set()
        for remote in self.remotes:
            remote.timers.stop()
            remote.pool.stop()


@pytest.fixture
def machines() -> Iterator[Machines]:
    made = Machines("web1", "web1", "web2", "web3")
    yield made
    made.close()


@pytest.mark.parametrize("asker", [0, 1, 3])
def test_all_others_reload_once_and_each_failure_is_named(machines: Machines, asker: int) -> None:
    assert machines.parts[asker].elsewhere(()) == []
    assert machines.reloads == [0 if place == asker else 1 for place in range(4)]
    machines.said[2] = Reloaded("web2", "nothing was changed there: line 3", ["[server] bind"])
    machines.said[3 if asker != 3 else 0] = Reloaded("webX", "", ["[server] bind", "[link] host"])
    assert machines.parts[asker].elsewhere(["[link] secret"]) == [
        "node web2: nothing was changed there: line 3",
        "node webX: in need of a restart: [server] bind, [link] host",
    ]
    assert machines.parts[asker].elsewhere(["[link] host", "[server] bind"]) == ["node web2: nothing was changed there: line 3"]


def test_two_who_ask_at_once_hear_the_same(machines: Machines) -> None:
    machines.said[2] = Reloaded("web2", "no", [])
    assert in_threads(lambda place: machines.parts[place].elsewhere(()), [0, 1, 3]) == [["node web2: no"]] * 3


@pytest.mark.parametrize("asker", [0, 1])
def test_a_node_that_does_not_answer_is_named(machines: Machines, asker: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_reloads, "PATIENCE", 0.2)
    machines.stuck = {3}
    assert machines.parts[asker].elsewhere(()) == [f"node web3: {node_reloads.SILENT}"]
    machines.stuck = {2, 3}
    machines.parts[0]._left(machines.remotes[3].group.id)  # nobody knows which node that is any more
    assert machines.parts[asker].elsewhere(()) == [
        f"node {node_reloads.UNNAMED}: {node_reloads.SILENT}",
        f"node web2: {node_reloads.SILENT}",
    ]


def test_a_process_that_goes_meanwhile_is_not_waited_for(machines: Machines) -> None:
    machines.stuck = {3}
    gone = machines.remotes[3].group.id
    heard: list[list[str]] = []
    asking = threading.Thread(target=lambda: heard.append(machines.parts[1].elsewhere(())))
    asking.start()
    while not machines.reloads[3]:
        machines.never.wait(0.01)
    machines.parts[0]._left(gone)
    asking.join(4)
    assert heard == [[]]


def test_the_name_of_a_process_that_has_gone_is_not_kept(machines: Machines) -> None:
    machines.parts[0].name("nobody", "web9")
    assert "nobody" not in machines.parts[0]._nodes


def test_alone() -> None:
    made = Machines("web1")
    assert made.parts[0].elsewhere(()) == []
    made.close()


def test_a_process_whose_introduction_fails_is_asked_all_the_same() -> None:
    made = processes(2)
    parts = [NodeReloads("web1", lambda: Reloaded("web1", "no", []), remote) for remote in made]
    cast(MemoryGroup, made[1].group).broken = True
    for remote in made:
        remote.start()
    assert parts[0].elsewhere(()) == ["node web1: no"]
    for remote in made:
        remote.pool.stop()
