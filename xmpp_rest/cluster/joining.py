"""Whether a node may join a cluster: those that live there must host the same, and understand it (many-machines §9, §13)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from drivers.shared import NodeRow
from xmpp_rest.cluster.node_info import table_in
from xmpp_rest.cluster.protocol import fit
from xmpp_rest.cluster.settings_digest import SPREAD, differing

LOOKS = 12  # in the time of a lease: more than a node has beats


class CannotJoin(Exception):
    """This node must not serve beside those that live; the sentence says why, and what would be right."""


def obstacles(own: NodeRow, others: Sequence[NodeRow]) -> Iterator[tuple[NodeRow, str]]:
    """The nodes beside which this one must not serve, if they live, each with the reason."""
    for row in others:
        if (row.node, row.id) == (own.node, own.id):
            continue
        if row.node == own.node:
            yield row, f"[cluster] node: another data folder is node {own.node}; write a name of its own for each"
            continue
        if not fit(own.protocol, row.protocol):
            yield row, _too_far_apart(own, row)
        elif wrong := _other_domains(own, row):
            yield row, wrong


def require_fit(
    own: NodeRow,
    read: Callable[[], Sequence[NodeRow]],
    lease: float,
    clock: Callable[[], float] = time.monotonic,
    wait: Callable[[float], object] = time.sleep,
) -> None:
    """Raise CannotJoin if there is an obstacle at a node that lives: one that has a beat within `lease` seconds. Raises StorageError."""
    before = {row.node: (row.run, row.beat) for row, _ in obstacles(own, read())}
    until = clock() + lease
    while before and clock() < until:
        wait(lease / LOOKS)
        for row, reason in obstacles(own, read()):
            if before.get(row.node) != (row.run, row.beat):
                raise CannotJoin(reason)


def _too_far_apart(own: NodeRow, row: NodeRow) -> str:
    mine, theirs = f"{own.version} speaks protocol {own.protocol}", f"{row.version} at node {row.node} speaks {row.protocol}"
    return f"[cluster]: xmpp-rest {mine}, and {theirs}; they understand one number above or below: install a release in between first"


def _other_domains(own: NodeRow, row: NodeRow) -> str:
    mine, theirs = table_in(own, "gateway"), table_in(row, "gateway")
    theirs = {SPREAD: "no", **theirs}  # of an earlier release
    keys = [key for key in mine if key in theirs and mine[key] != theirs[key]]
    if not keys:
        return ""
    said = ", ".join(f"{key} is {mine[key] or 'empty'} here and {theirs[key] or 'empty'} at node {row.node}" for key in keys)
    return f"{'' if keys == [SPREAD] else '[gateway] '}{said}; write the same on all nodes"


def differences(own: NodeRow, others: Sequence[NodeRow]) -> list[str]:
    """A sentence for each node whose settings differ from those of this one where they should not."""
    mine = table_in(own, "settings")
    compared = [(row, differing(mine, table_in(row, "settings"))) for row in others if row.node != own.node]
    text = "the settings of node {} differ from those of this one in {}; the owner's count, whichever node that is"
    return [text.format(row.node, ", ".join(sections)) for row, sections in compared if sections]
