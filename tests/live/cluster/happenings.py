"""What befalls a cluster while clients use it, and what of that the clients may notice."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import NamedTuple

from tests.live.xmppserver import GATEWAY

from .clients import BROKEN, Answered
from .machines import Machines, until
from .node import LEASE, Node

SERVED = frozenset({200, 202})
REFUSED = frozenset({503})
CUT = frozenset({BROKEN})


class Happening(NamedTuple):
    """Something that happens to the node that owns, or to what all have in common."""

    name: str
    happen: Callable[[Machines, Node, float], None]
    """With the owner, and for how many seconds it is to last where it lasts."""
    pause: float
    """The longest that no message is accepted, in seconds, on a machine with nothing else to do."""
    of_owner: frozenset[int] = SERVED
    """Statuses that clients of the node that owned may get."""
    of_others: frozenset[int] = SERVED
    reading_of_others: frozenset[int] = SERVED
    """Those of clients that only read, at nodes that did not own."""

    @property
    def iqs(self) -> frozenset[int]:
        """Statuses of iqs at nodes that did not own: one that is under way has no answer where the owner ends without a word."""
        return self.of_others | (REFUSED if self.of_owner >= REFUSED else frozenset())

    def sends(self, owner: str) -> Callable[[Answered], bool]:
        """Whether a message may be answered so; `owner` is the name of the node that owned."""
        return lambda answer: answer.status in (self.of_owner if answer.node == owner else self.of_others)


def owning_process_is_killed(machines: Machines, owner: Node, seconds: float) -> None:
    before = owner.owning()
    os.kill(before[-1], signal.SIGKILL)
    until(lambda: owner.owning() != before or machines.other(owner).owns())


def owner_is_killed(machines: Machines, owner: Node, seconds: float) -> None:
    owner.kill()
    machines.owner(besides=owner)
    owner.start()


def owner_is_frozen(machines: Machines, owner: Node, seconds: float) -> None:
    began = time.monotonic()
    owner.freeze()
    try:
        machines.owner(besides=owner)
        time.sleep(max(0.0, began + seconds - time.monotonic()))
    finally:
        owner.thaw()
    machines.wait_known(owner)


def owner_is_cut_off(machines: Machines, owner: Node, seconds: float) -> None:
    """From the database, without a word."""
    for way in owner.to_databases:
        way.hold()
    try:
        machines.owner(besides=owner)
    finally:
        owner.join()
    machines.wait_known(owner)


def owner_ends(machines: Machines, owner: Node, seconds: float) -> None:
    owner.stop()
    machines.owner(besides=owner)
    owner.start()


def domain_is_moved(machines: Machines, owner: Node, seconds: float) -> None:
    other = machines.other(owner)
    moved = owner.command_line("cluster", "move", GATEWAY, other.name)
    assert moved.returncode == 0, moved
    assert other.owns()


def owner_is_drained(machines: Machines, owner: Node, seconds: float) -> None:
    drained = owner.command_line("cluster", "drain")
    assert drained.returncode == 0, drained
    assert machines.owner() is not owner
    undrained = owner.command_line("cluster", "undrain")
    assert undrained.returncode == 0, undrained


def other_is_killed(machines: Machines, owner: Node, seconds: float) -> None:
    other = machines.other(owner)
    other.kill()
    other.start()
    machines.wait_known(other)


def other_is_cut_off(machines: Machines, owner: Node, seconds: float) -> None:
    """From the database, without a word."""
    other = machines.other(owner)
    for way in other.to_databases:
        way.hold()
    try:
        time.sleep(seconds)
    finally:
        other.join()
    machines.wait_known(other)


def node_is_added_and_removed(machines: Machines, owner: Node, seconds: float) -> None:
    third = machines.add("web3")
    machines.wait_known(third)
    machines.remove(third)


def database_is_restarted(machines: Machines, owner: Node, seconds: float) -> None:
    machines.databases.restart()


def database_fails_over(machines: Machines, owner: Node, seconds: float) -> None:
    machines.databases.fail_over()


HAPPENINGS = (
    Happening("owning-process-killed", owning_process_is_killed, 1.0, SERVED | REFUSED | CUT, SERVED | REFUSED),
    Happening("owner-killed", owner_is_killed, 2.0, SERVED | CUT, SERVED | REFUSED),
    Happening("owner-frozen", owner_is_frozen, LEASE + 1, SERVED | REFUSED | CUT, SERVED | REFUSED),
    Happening("owner-cut-off", owner_is_cut_off, LEASE + 1, SERVED | REFUSED, SERVED | REFUSED),
    Happening("owner-ends", owner_ends, 2.0, SERVED | CUT),
    Happening("moved", domain_is_moved, 2.0),
    Happening("drained", owner_is_drained, 2.0),
    Happening("other-killed", other_is_killed, 2.0, of_others=SERVED | REFUSED | CUT, reading_of_others=SERVED | CUT),
    Happening("other-cut-off", other_is_cut_off, 12.0, of_others=SERVED | REFUSED, reading_of_others=SERVED | REFUSED),
    Happening("added-and-removed", node_is_added_and_removed, 2.0),
    Happening("database-restarted", database_is_restarted, 3.0, SERVED | REFUSED, SERVED | REFUSED, SERVED | REFUSED),
    Happening("database-failed-over", database_fails_over, 6.0, SERVED | REFUSED, SERVED | REFUSED, SERVED | REFUSED),
)
