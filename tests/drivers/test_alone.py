"""Gateways that meet in a database: one that beats keeps another out, and one that is silent for long enough does not (many-machines §4)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from drivers import Table
from drivers.alone import ALONE, BEAT, SILENCE, AloneInDatabase, silence_of
from drivers.lease import LeaseTaken
from drivers.shared import NodeRow

DOMAIN = "gw.example"


def row(node: str, id_: str, kind: str = ALONE, beat: int = 0, info: Table | None = None) -> NodeRow:
    return NodeRow(node, id_, id_, kind, "1.0.0", 0, beat, info or {})


class World:
    """A database and a clock; while somebody waits, others act."""

    def __init__(self) -> None:
        self.rows: dict[str, NodeRow] = {}
        self.now = 1000.0
        self.meanwhile: Callable[[], None] = lambda: None

    def enter(self, own: NodeRow) -> NodeRow | None:
        before = self.rows.get(own.node)
        self.rows[own.node] = own._replace(beat=before.beat + 1 if before else 1)
        return before

    def beat(self, own: NodeRow) -> bool:
        found = self.rows.get(own.node)
        if found is None or found.run != own.run:
            return False
        self.rows[own.node] = found._replace(beat=found.beat + 1, info=own.info)
        return True

    def nodes(self) -> list[NodeRow]:
        return sorted(self.rows.values())

    def forget(self, node: str, seen: NodeRow) -> bool:
        return self.rows.get(node) == seen and bool(self.rows.pop(node))

    def clock(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.now += seconds
        self.meanwhile()

    def gateway(self, own: NodeRow) -> AloneInDatabase:
        return AloneInDatabase(self, own, DOMAIN, self.clock, self.pause)


@pytest.fixture
def world() -> World:
    return World()


def test_one_that_lives_keeps_another_out_in_time(world: World) -> None:
    first = world.gateway(row("web1", "a"))
    first.enter()
    beats = 0

    def beat() -> None:
        nonlocal beats
        if world.now >= 1000 + BEAT * (beats + 1):
            beats += 1
            first.beat()

    world.meanwhile = beat
    with pytest.raises(LeaseTaken) as caught:
        world.gateway(row("web2", "b")).require()
    assert str(caught.value) == (
        "[storage] url: another gateway serves gw.example from this database (node web1, seen 0 s ago); "
        "stop it, or set [cluster] kind = postgresql on both"
    )
    assert world.now <= 1000 + 2 * BEAT
    assert set(world.rows) == {"web1"}


@pytest.mark.parametrize(
    ("there", "own", "refused"),
    [(ALONE, ALONE, True), ("postgresql", ALONE, True), (ALONE, "postgresql", True), ("postgresql", "postgresql", False)],
)
def test_which_kinds_refuse_each_other(world: World, there: str, own: str, refused: bool) -> None:
    first = world.gateway(row("web1", "a", there))
    first.enter()
    world.meanwhile = first.beat
    newcomer = world.gateway(row("web2", "b", own))
    if refused:
        with pytest.raises(LeaseTaken, match="node web1"):
            newcomer.require()
    else:
        assert newcomer.require() == []
        assert world.now == 1000


def test_one_that_is_silent_is_taken_over(world: World) -> None:
    world.gateway(row("web1", "a")).enter()
    newcomer = world.gateway(row("web2", "b"))
    (dead,) = newcomer.require()
    assert (dead.node, dead.id) == ("web1", "a")
    assert SILENCE <= world.now - 1000 <= SILENCE + 1
    newcomer.forget([dead])
    newcomer.enter()
    assert {(each.node, each.id) for each in world.nodes()} == {("web2", "b")}


def test_one_that_was_itself_frozen_looks_again(world: World) -> None:
    """Seconds in which it did not look say nothing about the other."""
    first = world.gateway(row("web1", "a"))
    first.enter()

    def freeze() -> None:
        world.now += 60
        first.beat()

    world.meanwhile = freeze
    with pytest.raises(LeaseTaken):
        world.gateway(row("web2", "b")).require()


def test_a_node_of_a_cluster_beats_by_its_own_lease(world: World) -> None:
    assert silence_of(row("web1", "a")) == SILENCE
    slow = row("web1", "a", "postgresql", info={"lease": 60})
    assert silence_of(slow) == 30
    for nonsense in ({"lease": "x"}, {"lease": True}, ["lease"]):
        assert silence_of(row("web1", "a", "postgresql", info=nonsense)) == SILENCE
    first = world.gateway(slow)
    first.enter()
    world.meanwhile = lambda: (world.now >= 1010 and first.beat()) or None
    with pytest.raises(LeaseTaken):
        world.gateway(row("web2", "b")).require()


def test_one_that_ends_meanwhile_is_no_hindrance_and_one_that_comes_is(world: World) -> None:
    first = world.gateway(row("web1", "a"))
    first.enter()
    world.meanwhile = first.leave
    assert world.gateway(row("web2", "b")).require() == []
    first.enter()
    world.meanwhile = world.gateway(row("web3", "c")).enter
    with pytest.raises(LeaseTaken, match="node web3"):
        world.gateway(row("web2", "b")).require()


def test_the_same_data_folder_goes_on_at_once_also_under_another_name(world: World) -> None:
    world.gateway(row("web1", "a")).enter()
    again = world.gateway(row("other", "a"))
    assert again.require() == []
    again.enter()
    assert [each.node for each in world.nodes()] == ["other"]
    assert again.others() == []
    assert world.gateway(row("web9", "z")).others() == world.nodes()
    assert world.now == 1000


def test_a_row_that_is_gone_is_made_again(world: World) -> None:
    gateway = world.gateway(row("web1", "a"))
    gateway.enter()
    world.rows.clear()
    gateway.beat()
    gateway.beat()
    assert world.rows["web1"].beat == 2
    gateway.leave()
    gateway.leave()
    assert world.nodes() == []
