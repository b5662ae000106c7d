"""What is told of one domain with an owner of its own, and done to it; over a database in memory (many-machines §13)."""

from __future__ import annotations

import pytest

from tests.cluster.fake_shared import FakeDatabase, FakeShared
from tests.cluster.settings import cluster_settings
from tests.processes.memory import alone
from xmpp_rest.cluster.domain_control import DomainControl, forget_everywhere
from xmpp_rest.cluster.identity import NodeIdentity
from xmpp_rest.cluster.lease_keeper import LeaseKeeper
from xmpp_rest.cluster.owner import LeaseOwner
from xmpp_rest.incidents import Incidents

ROOMS = "conference.capulet.example"


class Owned:
    """A node as to this domain."""

    def __init__(self, database: FakeDatabase, name: str) -> None:
        self.now = 1000.0
        self.shared = FakeShared(database)
        self.drains = False
        identity = NodeIdentity(name, name * 4, f"run{name}")
        self.keeper = LeaseKeeper(
            lambda: self.shared, ROOMS, (ROOMS,), identity, cluster_settings(node=name), dict, Incidents(), lambda: self.now,
            lambda: self.drains, (ROOMS, "capulet.example"),
        )  # fmt: skip
        self.control = DomainControl(ROOMS, self.keeper, lambda: self.shared, lambda: self.drains, alone())

    def turn(self) -> None:
        self.now += 0.5
        self.keeper.turn()


@pytest.fixture
def nodes() -> tuple[Owned, Owned]:
    database = FakeDatabase()
    made = Owned(database, "web1"), Owned(database, "web2")
    for _ in range(2):
        for node in made:
            node.turn()
    return made


def test_a_process_that_does_not_speak_for_its_node_knows_nothing(nodes: tuple[Owned, Owned]) -> None:
    first, _ = nodes
    assert first.keeper.owner == LeaseOwner(ROOMS, "web1", "runweb1", 1)
    assert not first.control.owner()
    assert first.control.gauges() == {}
    assert first.control.move("web2") == f"nobody owns {ROOMS} now; a node that may own takes it by itself"


def test_an_owner_that_drains_gives_up_where_another_may_own(nodes: tuple[Owned, Owned]) -> None:
    first, second = nodes
    second.drains = True
    second.turn()
    first.drains = True
    first.turn()
    first.turn()
    assert first.keeper.holds
    second.drains = False
    second.turn()
    first.turn()
    assert not first.keeper.holds
    assert first.keeper.loss is not None
    assert first.keeper.loss.reason == "it drains"


def test_the_rows_of_a_node_that_is_gone_are_removed(nodes: tuple[Owned, Owned]) -> None:
    first, second = nodes
    assert [row.node for row in first.shared.nodes()] == ["web1", "web2"]
    forget_everywhere([first.control], "web2")
    assert [row.node for row in first.shared.nodes()] == ["web1"]
    first.shared.cut()
    forget_everywhere([first.control], "web1")  # it is looked after again, some time
    assert [row.node for row in second.shared.nodes()] == ["web1"]
