"""How the parts of a gateway end: at a stop, and where another node is to lead instead of this process (many-machines §8, §13)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from drivers import Driver
from xmpp_rest.gateway.group_parts import ClusterParts
from xmpp_rest.gateway.parts import Parts
from xmpp_rest.processes.loss import Loss, LossKind

PATIENCE = 1.0  # seconds for the requests that are under way when this process leads no more; nearly all take some milliseconds


def end_parts(parts: Parts, *, has_storage: bool, keeps_rooms: bool = False, goes_on: bool = False) -> None:
    """End what works; the link first, so that no more stanzas come in. `has_storage`: whether the storage may still be changed,
    where the lease of a domain is not lost.

    `keeps_rooms`: whether another node leads next, so that occupants stay in their rooms; `goes_on`: whether this process does.
    """
    apart = [(each, has_storage and not is_lost(each.base.cluster)) for each in parts.apart]
    has_storage = has_storage and (parts.joined.cluster is None or not is_lost(parts.joined.cluster))
    with ExitStack() as last:  # the last one first, each whatever becomes of those before: the link ends in any case
        last.callback(parts.leader.end, has_storage=has_storage)
        if keeps_rooms:
            last.callback(parts.leader.keep_rooms)
        elif has_storage:
            last.callback(parts.leader.leave_rooms)
        for each, has in apart:
            last.callback(each.leader.end, has_storage=has)
            if goes_on or _is_followed(each.base.cluster):
                last.callback(each.leader.keep_rooms)
            elif has:
                last.callback(each.leader.leave_rooms)
        if has_storage:
            last.callback(parts.hooks.uses.settle)
        last.callback(parts.streams.stop)
        last.callback(parts.jobs.stop)  # while there is somebody to whom it can be said


def end_waiting(parts: Parts) -> None:
    """End streams, and requests that wait for an answer."""
    parts.streams.stop()
    for router in (parts.router, *(each.base.router for each in parts.apart)):
        router.stop_waiting()


def close_parts(parts: Parts, driver: Driver | None = None, *, have_begun: bool = True) -> None:
    """End the rest: the part in the group, the threads, the sessions, and the storage, if it is given: the process ends."""
    with ExitStack() as last:  # the last one first, each whatever becomes of those before
        if driver is not None:
            last.callback(driver.close)
        for cluster in parts.clusters:
            last.callback(cluster.close)
        if have_begun:
            report = partial(parts.collection.stop, goes_on=driver is None)
            last.callback(parts.streams.close)
            for remote in reversed(parts.remotes):
                last.callback(remote.stop)
            last.callback(parts.lease.stop)
            last.callback(report)


def give_up(parts: Parts, loss: Loss, have_ended: Callable[[float], bool]) -> None:
    """End the parts of a process that is to lead no more. `have_ended`: waits for the requests of these parts, for some seconds.

    What it leads besides, its next parts lead again: that is handed over as in an orderly change, however the other lease was lost.
    """
    may_write = loss.kind is not LossKind.DISPLACED
    try:
        if may_write:
            for cluster in parts.clusters:
                cluster.keeper.keep()
            hand_over(parts)
            if not all(map(is_lost, parts.clusters)):
                have_ended(PATIENCE)
        end_waiting(parts)
        end_parts(parts, has_storage=may_write, keeps_rooms=True, goes_on=True)
    finally:
        close_parts(parts)


def is_lost(cluster: ClusterParts) -> bool:
    """Whether another node may own these domains by now, so that nothing of theirs may be written any more."""
    loss = cluster.keeper.loss
    return loss is not None and loss.kind is not LossKind.GIVEN_UP


def has_successor(parts: Parts) -> bool:
    """Whether this process leads, and another node will once it has ended."""
    cluster = parts.joined.cluster
    return cluster is not None and _is_followed(cluster)


def _is_followed(cluster: ClusterParts) -> bool:
    return cluster.keeper.owns and bool(cluster.keeper.others())


def hand_over(parts: Parts) -> None:
    """Where this process leads, answer what others have called for, and have them wait for the next leader (bounded)."""
    lost = [is_lost(cluster) for cluster in parts.clusters] or [False]
    for remote, is_another in zip(parts.remotes, lost, strict=True):
        if not is_another:
            remote.hand_over()


def cut_links(parts: Parts, *, all_of_them: bool) -> None:
    """Write nothing any more to the streams of domains whose lease is lost, or to any. Does not wait."""
    if parts.joined.cluster is None or all_of_them or is_lost(parts.joined.cluster):
        parts.leader.cut_link()
    for each in parts.apart:
        if all_of_them or is_lost(each.base.cluster):
            each.leader.cut_link()
