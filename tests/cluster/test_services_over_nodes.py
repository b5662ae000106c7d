"""Services that work by remote calls do so over nodes: limits, wrong passwords, reloads, the list of streams (many-machines §9, §10)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.fake_shared import FakeDatabase, FakeShared
from tests.cluster.nodes import ClusterProcess
from tests.link.attached import until
from xmpp_rest.auth.throttle import Throttle
from xmpp_rest.gateway.node_reloads import NodeReloads, Reloaded
from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.limits.limits import Bucket, RateLimits
from xmpp_rest.service.streams.directory import Directory, OpenStream

KEY = ("juliet", "192.0.2.1")
JULIET = parse_jid("juliet@capulet.example")


class Process:
    """What these services are in one process of a node."""

    def __init__(self, folder: Path, node: str, shared: FakeShared) -> None:
        folder.mkdir(exist_ok=True)
        self.node = node
        self.shared = shared
        self.said = Reloaded(node, "", [])
        self.process = ClusterProcess(folder, node, shared)
        remote = self.process.remote
        self.reloads = NodeReloads(node, self._reload, remote)
        self.limits = RateLimits(remote)
        self.throttle = Throttle(1, remote)
        self.directory = Directory(remote)
        self.process.start()

    def _reload(self) -> Reloaded:
        return self.said

    def open(self, resource: str) -> OpenStream:
        stream = OpenStream(JULIET._replace(resource=resource), "192.0.2.1", 4711, 1.5)
        self.directory.mine.put(stream)
        self.directory.opened(stream)
        return stream


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[list[Process]]:
    """Two of node web1, which owns, and two of web2."""
    database = FakeDatabase()
    nodes = {name: FakeShared(database) for name in ("web1", "web2")}
    made = [Process(tmp_path / name, name, nodes[name]) for name in ("web1", "web1", "web2", "web2")]
    yield made
    for each in reversed(made):
        each.process.stop()


def test_each_node_reads_its_own_configuration(processes: list[Process]) -> None:
    for asker in processes:
        for each in processes:
            each.said = Reloaded(each.node, "", [])
        assert asker.reloads.elsewhere(()) == []
        other = next(each for each in processes if each.node != asker.node)
        other.said = Reloaded(other.node, "nothing was changed there: line 3", [])
        assert asker.reloads.elsewhere(()) == [f"node {other.node}: nothing was changed there: line 3"]


def test_a_limit_is_that_of_all_nodes_also_after_a_change_of_the_owner(processes: list[Process]) -> None:
    bucket = Bucket("hook", "ops", 6)
    assert [processes[number % 4].limits.take([bucket]).allowed for number in range(4)] == [True] * 4
    assert processes[2].limits.take([bucket]).allowed
    for each in processes[1::-1]:
        each.process.stop()
    until(lambda: processes[2].process.group.is_leader)
    allowed = [processes[2 + number % 2].limits.take([bucket]).allowed for number in range(6)]
    assert 1 <= sum(allowed) <= 2  # one is left, and time passes


def test_wrong_passwords_count_in_every_process(processes: list[Process]) -> None:
    for number, each in enumerate(processes):
        each.throttle.failed((f"user{number}", "192.0.2.1"))
    until(lambda: all(each.throttle.charges((f"user{number}", "192.0.2.1")) for each in processes for number in range(4)))


def test_a_node_without_the_database_answers_wrong_passwords_at_once(processes: list[Process]) -> None:
    processes[2].shared.cut()
    assert processes[3].throttle.failed(KEY) == 0
    assert processes[3].throttle.failed(KEY) > 0
    processes[2].shared.mend()


def test_streams_of_a_node_that_is_gone_leave_the_list(processes: list[Process]) -> None:
    streams = [each.open(f"stream{number}") for number, each in enumerate(processes)]
    for each in processes:
        assert sorted(each.directory.of(JULIET)) == streams
    assert set(processes[0].directory.processes_of(JULIET)) == {each.process.group.id for each in processes[1:]}
    processes[2].shared.cut()
    until(lambda: sorted(processes[0].directory.of(JULIET)) == streams[:2])
