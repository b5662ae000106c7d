"""Groups that others join while the work waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from tests.threads.scheduler import OneThread
from xmpp_rest.threads.joining import Join, JoiningExecutor
from xmpp_rest.threads.tasks import offload


class Waiting:
    """Doubles numbers on another thread, once `free` is given. `on_begin` is called before; `error` is raised instead."""

    def __init__(self, most: int = 10) -> None:
        self.free = threading.Event()
        self.begun: list[list[int]] = []
        self.joined: list[list[int]] = []
        self.error: Exception | None = None
        self.on_begin: Callable[[], None] = lambda: None
        self.group: JoiningExecutor[int, int] = JoiningExecutor(self.work, most, parks=True)

    def work(self, items: list[int], join: Join[int]) -> Sequence[int]:
        return offload(partial(self._work, items, join))

    def _work(self, items: list[int], join: Join[int]) -> Sequence[int]:
        self.begun.append(items)
        self.on_begin()
        assert self.free.wait(30)
        self.joined.append(join())
        if self.error is not None:
            raise self.error
        return [2 * item for item in (*items, *self.joined[-1])]

    def ask(self, came: list[object], *items: int) -> None:
        try:
            came.append(self.group.run(items))
        except Exception as e:
            came.append(e)


def asked_while_it_waits(work: Waiting, came: list[object], *items: Sequence[int]) -> None:
    """Have `1` asked for, and these items while its work waits."""
    scheduler = OneThread()

    def later() -> None:
        assert work.begun == [[1]]
        for some in items:
            scheduler.at_end(partial(work.ask, came, *some))
        scheduler.at_end(lambda: scheduler.at_end(work.free.set))

    work.on_begin = lambda: scheduler.at_end(later) if len(work.begun) == 1 else None
    scheduler.run(partial(work.ask, came, 1))


def test_who_comes_while_the_work_waits_joins_its_group() -> None:
    work, came = Waiting(), list[object]()
    asked_while_it_waits(work, came, [2, 3], [4])
    assert sorted(came, key=str) == [[2], [4, 6], [8]]
    assert (work.begun, work.joined) == ([[1]], [[2, 3, 4]])


def test_what_is_more_than_a_group_takes_is_left_to_the_next_one() -> None:
    work, came = Waiting(most=3), list[object]()
    asked_while_it_waits(work, came, [2], [3, 4], [5])
    assert sorted(came, key=str) == [[10], [2], [4], [6, 8]]
    assert (work.begun, work.joined) == ([[1], [3, 4, 5]], [[2], []])


def test_who_has_joined_is_told_the_error() -> None:
    work, came = Waiting(), list[object]()
    work.error = OSError("full")
    asked_while_it_waits(work, came, [2])
    assert came == [work.error, work.error]


@pytest.mark.parametrize("count", [1, 8])
def test_threads_join_as_well(count: int) -> None:
    work, came = Waiting(), list[object]()
    threads = [threading.Thread(target=work.ask, args=(came, n)) for n in range(count)]
    for thread in threads:
        thread.start()
    work.free.set()
    for thread in threads:
        thread.join(30)
    assert sorted(came, key=str) == sorted(([2 * n] for n in range(count)), key=str)
