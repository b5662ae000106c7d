"""A candidate takes a lease where it owns the fewest hosted domains; one that nobody takes it takes in the end (many-machines §6)."""

from __future__ import annotations

import pytest

from drivers.shared import LeaseRow
from tests.cluster.fake_shared import FakeDatabase, FakeShared
from tests.cluster.settings import cluster_settings
from xmpp_rest.cluster.fair_share import FairShare
from xmpp_rest.cluster.identity import NodeIdentity
from xmpp_rest.cluster.lease_keeper import LeaseKeeper
from xmpp_rest.incidents import Incidents

DOMAINS = ("a.example", "b.example", "c.example")
LEASE = 3.0


def leases(**owners: str) -> dict[str, LeaseRow]:
    return {f"{name}.example": LeaseRow(f"{name}.example", node, node, 1, 1) for name, node in owners.items()}


def test_the_node_that_owns_more_leaves_it_to_another_for_the_time_of_a_lease() -> None:
    share = FairShare("c.example", DOMAINS, "web1", LEASE)
    owned = leases(a="web1", b="web2", c="web2", other="web1")
    assert not share.yields(owned, {"web2"}, 10)
    owned = leases(a="web1", b="web1")
    assert share.yields(owned, {"web2"}, 10)
    assert share.yields(owned, {"web2"}, 10 + LEASE - 0.1)
    assert not share.yields(owned, {"web2"}, 10 + LEASE)
    assert not share.yields(owned, set(), 11)
    assert share.yields(owned, {"web2"}, 20)  # another time


@pytest.mark.parametrize("owned", [leases(), leases(a="web2", b="web2"), leases(a="web1", b="web2")])
def test_who_owns_the_fewest_takes_it(owned: dict[str, LeaseRow]) -> None:
    assert not FairShare("c.example", DOMAINS, "web1", LEASE).yields(owned, {"web2"}, 10)


class Nodes:
    """Keepers of three domains at each of some nodes."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.databases = {domain: FakeDatabase() for domain in DOMAINS}
        leases = next(iter(self.databases.values())).leases
        for database in self.databases.values():  # node rows of each domain, leases of all
            database.leases = leases
        self.keepers: dict[tuple[str, str], LeaseKeeper] = {}
        self.lives = 0

    def begin(self, node: str, domain: str) -> LeaseKeeper:
        shared = FakeShared(self.databases[domain])
        self.lives += 1
        identity = NodeIdentity(node, node * 4, f"{node}{self.lives}")
        keeper = LeaseKeeper(
            lambda: shared, domain, (domain,), identity, cluster_settings(node=node), dict, Incidents(), lambda: self.now, spread=DOMAINS
        )
        self.keepers[node, domain] = keeper
        return keeper

    def add(self, node: str) -> None:
        for domain in DOMAINS:
            self.begin(node, domain)

    def end(self, node: str) -> None:
        for domain in DOMAINS:
            self.keepers.pop((node, domain)).stop()

    def turn(self, times: int = 1, step: float = 0.5) -> None:
        for _ in range(times):
            self.now += step
            for keeper in tuple(self.keepers.values()):
                keeper.turn()
                keeper.expire()

    @property
    def owners(self) -> list[str]:
        held = {domain: node for (node, domain), keeper in self.keepers.items() if keeper.holds}
        return [held.get(domain, "") for domain in DOMAINS]


def test_a_node_alone_owns_all_and_nothing_is_moved_to_one_that_joins() -> None:
    nodes = Nodes()
    nodes.add("web1")
    nodes.turn(2)
    nodes.add("web2")
    nodes.turn(20)
    assert nodes.owners == ["web1"] * 3


def test_what_an_ended_node_owned_is_shared_out() -> None:
    nodes = Nodes()
    nodes.add("web1")
    nodes.turn(2)
    nodes.add("web2")
    nodes.add("web3")
    nodes.turn(2)
    nodes.end("web1")
    nodes.turn(16)
    assert {nodes.owners.count(node) for node in ("web2", "web3")} == {1, 2}


def test_one_domain_is_moved_and_the_others_stay() -> None:
    nodes = Nodes()
    nodes.add("web1")
    nodes.turn(2)
    nodes.add("web2")
    nodes.turn(2)
    moved = nodes.keepers["web1", "b.example"]
    assert moved.move_to("web2")
    for domain in DOMAINS:  # the process goes on with other parts
        keeper = nodes.keepers["web1", domain]
        keeper.keep()
        keeper.stop()
        nodes.begin("web1", domain)
    for _ in range(3):
        for domain in reversed(DOMAINS):
            nodes.keepers["web2", domain].turn()  # it looks first
        nodes.turn()
    assert nodes.owners == ["web1", "web2", "web1"]
    nodes.keepers["web2", "b.example"].move_to("web1")  # though that has more then
    nodes.keepers["web2", "b.example"].stop()
    nodes.begin("web2", "b.example")
    nodes.turn(2)
    assert nodes.owners == ["web1"] * 3


def test_what_was_kept_for_a_process_that_does_not_come_back_is_taken_after_a_lease() -> None:
    nodes = Nodes()
    nodes.add("web1")
    nodes.turn(2)
    nodes.add("web2")
    nodes.turn(2)
    for domain in DOMAINS:
        keeper = nodes.keepers.pop(("web1", domain))
        keeper.keep()
        keeper.stop()
    nodes.turn(4)
    assert nodes.owners == [""] * 3
    nodes.turn(10)
    assert nodes.owners == ["web2"] * 3
