"""An owner that cannot reach the XMPP server gives up where another node may own (many-machines §8)."""

from __future__ import annotations

from tests.cluster.simulated import SimulatedDatabase, SimulatedNode, pass_time
from xmpp_rest.cluster.link_patience import LinkPatience


class Link:
    def __init__(self) -> None:
        self.up = True

    def is_up(self) -> bool:
        return self.up


def watched(node: SimulatedNode) -> Link:
    link = Link()
    node.keeper.on_look(LinkPatience(node.keeper, link.is_up, lambda: node.database.now).look)
    return link


def test_it_gives_up_after_half_a_minute() -> None:
    database = SimulatedDatabase()
    one, other = SimulatedNode(database, "one", lease="3"), SimulatedNode(database, "other", lease="3")
    link = watched(one)
    pass_time(database, one, other, seconds=5)
    link.up = False
    pass_time(database, one, other, seconds=29)
    link.up = True  # it came back once
    pass_time(database, one, other, seconds=1)
    link.up = False
    pass_time(database, one, other, seconds=29)
    assert one.keeper.holds
    pass_time(database, one, other, seconds=2)
    assert not one.keeper.holds
    assert "XMPP server" in one.losses[0].reason
    one.keeper.stop()
    one.begin()
    watched(one).up = False
    link = watched(other)
    link.up = False
    pass_time(database, one, other, seconds=100)
    assert other.keeper.holds  # the other one rests, so there is nobody else
    assert not other.losses


def test_a_single_node_goes_on() -> None:
    database = SimulatedDatabase()
    one = SimulatedNode(database, "one", lease="3")
    watched(one).up = False
    pass_time(database, one, seconds=100)
    assert one.keeper.holds
