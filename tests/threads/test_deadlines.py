"""The heap of deadlines: by time, then by order of arrival."""

from __future__ import annotations

import time

from xmpp_rest.threads.deadlines import Deadlines


def test_deadlines_by_time_then_by_arrival() -> None:
    heap: Deadlines[str] = Deadlines()
    assert heap.seconds() is None
    assert [heap.add(when, item) for when, item in ((2.0, "b"), (1.0, "a"), (2.0, "c"), (1.0, "second"))] == [True, True, False, False]
    assert len(heap) == 4
    assert [heap.pop() for _ in range(4)] == ["a", "second", "b", "c"]
    assert heap.seconds() is None


def test_seconds_until_the_next_deadline() -> None:
    heap: Deadlines[str] = Deadlines()
    heap.add(time.monotonic() + 60, "later")
    assert 59 < (heap.seconds() or 0) <= 60
    heap.add(time.monotonic() - 1, "past")
    assert (heap.seconds() or 0) < 0


def test_deadlines_that_are_kept_stay_in_order() -> None:
    heap: Deadlines[int] = Deadlines()
    for n in (5, 3, 8, 1, 7):
        heap.add(float(n), n)
    heap.keep(lambda n: n != 3)
    assert [heap.pop() for _ in range(len(heap))] == [1, 5, 7, 8]
