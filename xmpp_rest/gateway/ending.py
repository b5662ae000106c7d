"""How the parts of a gateway end: at a stop, and where another node is to lead instead of this process (many-machines §8, §13)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

from drivers import Driver
from xmpp_rest.gateway.parts import Parts
from xmpp_rest.processes.loss import Loss, LossKind

PATIENCE = 1.0  # seconds for the requests that are under way when this process leads no more; nearly all take some milliseconds


def end_parts(parts: Parts, *, has_storage: bool, keeps_rooms: bool = False) -> None:
    """End what works; the link first, so that no more stanzas come in. `has_storage`: whether the storage may still be changed.

    `keeps_rooms`: whether another node leads next, so that occupants stay in their rooms.
    """
    with ExitStack() as last:  # the last one first, each whatever becomes of those before: the link ends in any case
        last.callback(parts.leader.end, has_storage=has_storage)
        if keeps_rooms:
            last.callback(parts.leader.keep_rooms)
        elif has_storage:
            last.callback(parts.leader.leave_rooms)
        if has_storage:
            last.callback(parts.hooks.uses.settle)
        last.callback(parts.streams.stop)
        last.callback(parts.jobs.stop)  # while there is somebody to whom it can be said


def end_waiting(parts: Parts) -> None:
    """End streams, and requests that wait for an answer."""
    parts.streams.stop()
    parts.router.stop_waiting()


def close_parts(parts: Parts, driver: Driver | None = None, *, have_begun: bool = True) -> None:
    """End the rest: the part in the group, the threads, the sessions, and the storage, if it is given: the process ends."""
    with ExitStack() as last:  # the last one first, each whatever becomes of those before
        if driver is not None:
            last.callback(driver.close)
        if parts.joined.cluster is not None:
            last.callback(parts.joined.cluster.close)
        if have_begun:
            report = partial(parts.collection.stop, goes_on=driver is None)
            for end in (parts.streams.close, parts.remote.stop, parts.lease.stop, report):
                last.callback(end)


def give_up(parts: Parts, loss: Loss, have_ended: Callable[[float], bool]) -> None:
    """End the parts of a process that is to lead no more. `have_ended`: waits for the requests of these parts, for some seconds."""
    may_write = loss.kind is LossKind.GIVEN_UP
    try:
        if may_write:
            parts.remote.hand_over()
            have_ended(PATIENCE)
        end_waiting(parts)
        end_parts(parts, has_storage=may_write, keeps_rooms=True)
    finally:
        close_parts(parts)


def has_successor(parts: Parts) -> bool:
    """Whether this process leads, and another node will once it has ended."""
    cluster = parts.joined.cluster
    return cluster is not None and cluster.keeper.owns and bool(cluster.keeper.others())
