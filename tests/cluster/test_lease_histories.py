"""Whatever happens to nodes and database, no two nodes may write at once (many-machines §6): random histories, by a simulated clock."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.cluster.simulated import SimulatedDatabase, SimulatedNode

HISTORIES = 400
STEPS = 120
LEASES = ("1", "2", "3", "10")


class History:
    """Some nodes over one database, and what befalls them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        lease = self.random.choice(LEASES)
        notify = self.random.choice(("yes", "yes", "no"))
        self.lease = float(lease)
        self.database = SimulatedDatabase()
        self.nodes = [
            SimulatedNode(self.database, f"node{i}", self.random.uniform(0, 10_000), lease=lease, notify=notify)
            for i in range(self.random.choice((2, 3)))
        ]
        self.thaws: dict[str, float] = {}  # when a frozen node goes on
        self.epochs: list[int] = []
        self.reigns = 0
        self.events: list[Callable[[SimulatedNode], None]] = [
            self._freeze, self._freeze, self._kill, self._cut, self._cut, self._restart, self._give_up, self._break_session,
        ]  # fmt: skip

    def run(self) -> None:
        for _ in range(STEPS):
            if self.random.random() < 0.15:
                self.random.choice(self.events)(self.random.choice(self.nodes))
            self._pass(self.random.uniform(0.02, self.lease / 6))

    def _pass(self, seconds: float) -> None:
        self.database.now += seconds
        for node in self.random.sample(self.nodes, len(self.nodes)):
            if self.thaws.get(node.name, 0.0) > self.database.now:
                self._check()
                continue
            node.keeper.expire()
            if self.random.random() < 0.9:
                node.keeper.turn()
            if node.losses:
                node.losses.clear()
                node.keeper.stop()
                node.shared.break_session()
                node.begin()
            self._check()

    def _check(self) -> None:
        writers = [node.name for node in self.nodes if node.keeper.may_write()]
        assert len(writers) <= 1, writers
        if (lease := self.database.lease) is not None:
            assert not self.epochs or lease.epoch >= self.epochs[-1]
            self.epochs.append(lease.epoch)

    def _freeze(self, node: SimulatedNode) -> None:
        self.thaws[node.name] = self.database.now + self.random.uniform(0, 3 * self.lease)

    def _kill(self, node: SimulatedNode) -> None:
        node.end()

    def _cut(self, node: SimulatedNode) -> None:
        node.shared.is_cut = not node.shared.is_cut

    def _break_session(self, node: SimulatedNode) -> None:
        node.shared.break_session()

    def _restart(self, node: SimulatedNode) -> None:
        self.database.is_up = not self.database.is_up
        self.database.restart()

    def _give_up(self, node: SimulatedNode) -> None:
        node.keeper.give_up("it was told to")


@pytest.mark.parametrize("part", range(4))
def test_no_two_nodes_may_write_at_once(part: int) -> None:
    owned = 0
    for seed in range(part, HISTORIES, 4):
        history = History(seed)
        try:
            history.run()
        except AssertionError as e:
            raise AssertionError(f"history {seed}: {e}") from e
        owned += history.epochs[-1] if history.epochs else 0
    assert owned > HISTORIES / 4  # the lease does change hands
