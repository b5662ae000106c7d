"""The streams of a node that drains end one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from drivers import Driver
from tests.service.streams.test_registry import JULIET, NURSE, House
from xmpp_rest.service.streams.registry import StreamEnded
from xmpp_rest.service.streams.spread_ends import DRAINS, STEPS, SpreadEnds


class Draining:
    """Is asked before each step; `at`: what else happens before one of them."""

    def __init__(self, at: int, act: Callable[[], bool]) -> None:
        self.asked = 0
        self.done = threading.Event()
        self._at = at
        self._act = act

    def __call__(self) -> bool:
        self.asked += 1
        goes_on = self._act() if self.asked == self._at else True
        if self.asked == STEPS or not goes_on:
            self.done.set()
        return goes_on


def test_all_end_one_after_the_other(driver: Driver) -> None:
    """Also those that are opened meanwhile."""
    house = House(driver)
    streams = [house.streams.open(owner) for owner in (JULIET, NURSE) for _ in range(4)]
    ended: list[int] = []

    def look() -> bool:
        ended.append(sum(stream.ended for stream in streams))
        streams.append(house.streams.open(JULIET))
        return True

    ends, draining = SpreadEnds(house.streams), Draining(STEPS // 2, look)
    assert ends.count == 8
    ends.end_over(0.5, draining)
    assert draining.done.wait(60)
    for stream in streams:
        with pytest.raises(StreamEnded, match=DRAINS):
            stream.next(60)
        assert stream.ended_as == "stopping"
    assert 0 < ended[0] < 8
    house.streams.close()


def test_a_node_that_drains_no_more_keeps_the_rest(driver: Driver) -> None:
    house = House(driver)
    streams = [house.streams.open(JULIET) for _ in range(4)]
    draining = Draining(STEPS // 2, lambda: False)
    SpreadEnds(house.streams).end_over(0.2, draining)
    assert draining.done.wait(60)
    house.streams.timers.stop()
    assert 0 < sum(stream.ended for stream in streams) < 4
    assert draining.asked == STEPS // 2
    house.streams.close()
