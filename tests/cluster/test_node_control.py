"""What administrators see of nodes, and do to them; over a database in memory, by clocks that tests turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers import StorageError
from tests.cluster.fake_shared import FakeDatabase, FakeShared
from tests.processes.memory import alone
from xmpp_rest.cluster import rounds
from xmpp_rest.cluster.draining import FILE
from xmpp_rest.cluster.identity import NodeIdentity
from xmpp_rest.cluster.lease_keeper import LeaseKeeper
from xmpp_rest.cluster.node_control import SPREAD, NodeControl
from xmpp_rest.cluster.node_info import NodeInfo
from xmpp_rest.cluster.rounds import NodeRounds
from xmpp_rest.config.load import load_settings
from xmpp_rest.config.table import Settings
from xmpp_rest.errors import GatewayError
from xmpp_rest.incidents import Incidents
from xmpp_rest.processes.remote import Remote

DOMAIN = "gateway.example"
FILE_OF_SETTINGS = """
[gateway]
domain = gateway.example
[storage]
url = postgresql://gw@localhost/gw
[auth]
failures = {failures}
[cluster]
kind = postgresql
copies = 2
node = {node}
may_own = {may_own}
"""


class Streams:
    """The event streams of a process, of which there are none."""

    def __init__(self) -> None:
        self.count = 0
        self.ended: list[tuple[float, Callable[[], bool]]] = []

    def end_over(self, seconds: float, goes_on: Callable[[], bool]) -> None:
        self.ended.append((seconds, goes_on))


class Node:
    """A node with one process, whose keeper looks when it is told to."""

    def __init__(self, database: FakeDatabase, folder: Path, name: str, clock: Callable[[], float], **given: str) -> None:
        folder.mkdir()
        settings = settings_of(folder, node=name, **given)
        self.folder = folder
        self.shared = FakeShared(database)
        self.info = NodeInfo(settings, folder)
        self.keeper = LeaseKeeper(
            lambda: self.shared,
            DOMAIN,
            (DOMAIN,),
            NodeIdentity(name, name * 4, f"run-{name}"),
            settings.cluster,
            self.info,
            Incidents(),
            clock,
            self.info.drains,
        )
        self.streams = Streams()
        self.remote: Remote = alone()
        self.spoken: LeaseKeeper | None = self.keeper
        self.time_of_day = time.time
        self.rounds = NodeRounds(
            lambda: self.spoken, lambda: self.shared, self.info, settings.cluster, lambda: self.streams.count, self.remote, Incidents(),
            lambda: self.time_of_day(), clock,
        )  # fmt: skip
        self.control = NodeControl(
            lambda: self.spoken, lambda: self.shared, self.info, settings, self.streams, self.rounds, self.remote, clock
        )  # fmt: skip

    def turn(self) -> None:
        """Look once at the database."""
        self.keeper.turn()


def settings_of(folder: Path, *, node: str, failures: str = "30", may_own: str = "yes") -> Settings:
    path = folder / "wsgi.ini"
    path.write_text(FILE_OF_SETTINGS.format(node=node, failures=failures, may_own=may_own), encoding="utf-8")
    return load_settings(path, {})


class Cluster:
    """Two nodes, the first of which owns; `now`: the time on their clocks."""

    def __init__(self, tmp_path: Path) -> None:
        self.now = 1000.0
        self.database = FakeDatabase()
        self.web1, self.web2 = (Node(self.database, tmp_path / name, name, lambda: self.now) for name in ("web1", "web2"))
        self.turn()

    def turn(self, *nodes: Node) -> None:
        """Have these look, or all, and let some time pass."""
        for _ in range(2):
            for node in nodes or (self.web1, self.web2):
                node.turn()
            self.now += 0.4


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


def states(node: Node) -> dict[str, str]:
    return {each["node"]: each["state"] for each in node.control.figures()["nodes"]}


def owner(node: Node) -> tuple[str, int]:
    told = node.control.figures()["owners"][0]
    return told["node"], told["epoch"]


def test_each_node_tells_of_both(cluster: Cluster) -> None:
    for node in (cluster.web1, cluster.web2):
        figures = node.control.figures()
        assert (figures["kind"], figures["copies"], figures["members"]) == ("postgresql", 2, 2)
        assert states(node) == {"web1": "ready", "web2": "ready"}
        assert owner(node) == ("web1", 1)
        assert node.control.living() == ["web1", "web2"]
    assert [node.control.figures()["owners"][0]["here"] for node in (cluster.web1, cluster.web2)] == [True, False]
    assert [node.control.owner_elsewhere for node in (cluster.web1, cluster.web2)] == ["", "web1"]


def test_a_node_that_is_silent_can_be_forgotten(cluster: Cluster) -> None:
    assert cluster.web1.control.forget("web2") == "node web2 lives; stop it first"
    assert cluster.web1.control.forget("web3") == "there is no node web3"
    for _ in range(6):
        cluster.turn(cluster.web1)
    assert states(cluster.web1) == {"web1": "ready", "web2": "silent"}
    assert cluster.web1.control.living() == ["web1"]
    assert cluster.web1.control.forget("web2") == ""
    cluster.turn(cluster.web1)
    assert states(cluster.web1) == {"web1": "ready"}


def test_what_lives_again_is_not_forgotten(cluster: Cluster) -> None:
    for _ in range(6):
        cluster.turn(cluster.web1)
    cluster.web2.turn()
    assert cluster.web1.control.forget("web2") == "node web2 lives again"


def test_moves_that_cannot_be(cluster: Cluster) -> None:
    assert "romeo.example is not hosted here; write one of gateway.example, " in cluster.web1.control.move("romeo.example", "web2")
    assert cluster.web1.control.move(DOMAIN, "web3") == "there is no living node web3; write one of web1, web2"
    assert cluster.web1.control.move(DOMAIN, "web1") == ""
    assert cluster.web1.keeper.holds
    cluster.web2.control.drain()
    cluster.turn()
    assert "node web2 does not take it: it drains" in cluster.web1.control.move(DOMAIN, "web2")


def test_what_nobody_owns_is_not_moved(cluster: Cluster) -> None:
    for _ in range(10):
        cluster.turn(cluster.web2)
        cluster.web2.keeper.withdraw()
    assert cluster.web2.control.move(DOMAIN, "web2") == "nobody owns gateway.example now; a node that may own takes it by itself"


def test_a_move(cluster: Cluster) -> None:
    """Called at the owner; the call of another node reaches it by a remote call."""
    assert cluster.web1.control.move(DOMAIN, "web2") == ""
    assert not cluster.web1.keeper.holds
    assert cluster.web1.keeper.loss is not None
    assert cluster.web1.keeper.loss.to == "web2"


def test_a_node_drains_and_does_so_no_more(cluster: Cluster) -> None:
    assert not cluster.web1.control.draining
    assert cluster.web1.control.drain() == ""
    ((seconds, goes_on),) = cluster.web1.streams.ended
    assert (seconds, goes_on(), cluster.web1.control.draining) == (SPREAD, True, True)
    assert not cluster.web1.keeper.holds
    cluster.web1.turn()
    cluster.turn(cluster.web2)
    assert states(cluster.web2)["web1"] == "draining"
    assert cluster.web2.keeper.others() == set()
    assert cluster.web1.control.undrain() == ""
    assert not goes_on()
    cluster.web1.turn()
    cluster.turn(cluster.web2)
    assert states(cluster.web2)["web1"] == "ready"


def test_a_process_that_begins_in_a_node_that_drains_ends_its_streams(cluster: Cluster) -> None:
    cluster.web1.remote.take_role(False)
    cluster.web2.control.drain()
    assert len(cluster.web2.streams.ended) == 1
    cluster.web2.remote.take_role(False)
    cluster.web2.remote.take_role(False)
    assert not cluster.web1.streams.ended
    assert len(cluster.web2.streams.ended) == 2


def test_the_only_node_that_may_own_keeps_the_domain_until_another_may(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    cluster.web2.control.drain()
    cluster.turn()
    assert cluster.web1.control.drain() == ""
    assert cluster.web1.control.draining
    assert cluster.web1.keeper.holds
    cluster.web2.control.undrain()
    cluster.turn()
    cluster.web1.rounds.look(cluster.web1.keeper)
    assert not cluster.web1.keeper.holds


def test_a_folder_that_cannot_be_written(cluster: Cluster) -> None:
    mark = cluster.web1.folder / FILE
    mark.mkdir()
    for act in (cluster.web1.control.drain, cluster.web1.control.undrain):
        assert "cannot be kept in its data folder: Is a directory" in act()
    assert not cluster.web1.control.draining


def test_a_process_that_does_not_speak_knows_nothing(cluster: Cluster) -> None:
    cluster.web1.spoken = None
    assert (cluster.web1.control.gauges(), cluster.web1.control.owner_elsewhere) == ({}, "")
    with pytest.raises(GatewayError, match="no connection to its cluster"):
        cluster.web1.control.figures()


def test_a_storage_that_fails_is_said(cluster: Cluster) -> None:
    for _ in range(6):
        cluster.turn(cluster.web1)
    cluster.database.is_down = True
    with pytest.raises(GatewayError, match="The storage failed"):
        cluster.web1.control.forget("web2")


def test_figures_for_prometheus(cluster: Cluster) -> None:
    cluster.database.journals["outbox:gateway.example"] = {1: "", 2: ""}
    cluster.web1.rounds.look(cluster.web1.keeper)
    hosted = cluster.web1.control.figures()["owners"]
    assert cluster.web1.control.gauges() == {
        **{f"cluster_owner\t{each['domain']}": 1.0 for each in hosted},
        **{f"cluster_epoch\t{each['domain']}": 1.0 for each in hosted},
        "cluster_nodes": 2.0,
        "cluster_journal_rows": 2.0,
    }
    others = cluster.web2.control.gauges()
    assert others[f"cluster_owner\t{DOMAIN}"] == 0.0
    assert "cluster_journal_rows" not in others


def test_streams_of_all_processes_are_told(cluster: Cluster) -> None:
    cluster.web2.info.count_streams(11, "a", 3)
    cluster.web2.info.count_streams(12, "b", 4)
    cluster.web2.info.count_streams(11, "c", 5)  # the same process, beside another owner
    cluster.turn()
    assert {each["node"]: each["streams"] for each in cluster.web1.control.figures()["nodes"]} == {"web1": 0, "web2": 9}
    cluster.web2.info.forget("a")
    cluster.web2.info.forget("b")
    assert cluster.web2.info.streams == 5


def test_settings_that_differ_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cluster = Cluster(tmp_path)
    cluster.web2.control.configure(settings_of(cluster.web2.folder, node="web2", failures="31"))
    cluster.turn()
    for node in (cluster.web1, cluster.web2):
        assert {each["node"]: each["differs"] for each in node.control.figures()["nodes"]} == {"web1": [], "web2": ["[auth]"]}
    cluster.web2.rounds.look(cluster.web2.keeper)
    cluster.web2.rounds.look(cluster.web2.keeper)
    said = [text for text in caplog.messages if "settings of node" in text]
    assert said == ["the settings of node web1 differ from those of this one in [auth]; the owner's count, whichever node that is"]


def test_a_database_without_a_standby_is_said_once_a_minute(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        cluster.web1.rounds.look(cluster.web1.keeper)
    assert cluster.web1.control.figures()["copies"] == 1
    assert len([text for text in caplog.messages if "no synchronous standby" in text]) == 1
    cluster.database.standby = cluster.database.standby._replace(names="*")
    cluster.web1.rounds.look(cluster.web1.keeper)
    assert cluster.web1.control.figures()["copies"] == 2


def test_a_clock_that_is_wrong_is_said(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    cluster.web2.time_of_day = lambda: time.time() + 90.0
    cluster.web2.rounds.look(cluster.web2.keeper)
    cluster.turn()
    cluster.web1.rounds.look(cluster.web1.keeper)
    (said,) = [text for text in caplog.messages if "clocks of the machines differ" in text]
    assert "at node web2 9" in said or "at node web2 89" in said


def test_nodes_that_are_long_gone_are_forgotten_by_the_owner(cluster: Cluster) -> None:
    for _ in range(12):
        cluster.now += 0.3
        cluster.web1.turn()
    cluster.now += 3600.0
    cluster.web1.rounds.look(cluster.web1.keeper)
    assert set(cluster.database.nodes) == {"web1"}


def test_a_process_tells_of_its_streams_by_itself_whatever_goes_wrong(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A database that is away, and a fault: the next report is made all the same."""
    monkeypatch.setattr(rounds, "EVERY", 0.01)
    monkeypatch.setattr(rounds, "ROUND", 2)
    node, looks, told = cluster.web1, [0], threading.Event()

    def look(_: LeaseKeeper) -> None:
        looks[0] += 1
        node.streams.count = looks[0]
        if looks[0] == 1:
            raise StorageError("away")
        if looks[0] == 2:
            raise ValueError("a fault")
        told.set()

    monkeypatch.setattr(node.rounds, "look", look)
    node.remote.take_role(True)
    assert told.wait(60)
    while node.info.streams < 2:  # bounded by the time limit of the test
        told.wait(0.01)
    node.remote.timers.stop()
    node.remote.pool.stop()
    assert len([text for text in caplog.messages if "could not be looked after" in text]) == 1
