"""A one-shot value: the first one given counts, and the waiting thread gets it, or nothing in time."""

from __future__ import annotations

import threading
import time
from functools import partial

from tests.many import when
from tests.threads.scheduler import OneThread
from xmpp_rest.threads.future import Gate, OneShot
from xmpp_rest.threads.tasks import OrderLock, current_task


def test_one_shot_given_before_the_wait() -> None:
    shot = OneShot[str]()
    assert shot.give("first")
    assert not shot.give("second")
    assert shot.wait(0) == "first"


def test_one_shot_times_out() -> None:
    started = time.monotonic()
    assert OneShot[str]().wait(0.05) is None
    assert time.monotonic() - started >= 0.05
    assert OneShot[str]().wait(-1) is None


def test_one_shot_wakes_the_waiting_thread() -> None:
    shot = OneShot[int]()
    threading.Timer(0.05, shot.give, [7]).start()
    assert shot.wait(float(10**12)) == 7


def test_one_shot_takes_one_value_of_many() -> None:
    for _ in range(50):
        shot = OneShot[int]()
        counted: list[int] = []
        threads = [threading.Thread(target=give, args=(shot, n, counted)) for n in range(1, 9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert counted == [shot.value]


def give(shot: OneShot[int], value: int, counted: list[int]) -> None:
    if shot.give(value):
        counted.append(value)


def test_waiting_tasks_hold_no_thread() -> None:
    scheduler, shots, got = OneThread(), [OneShot[int]() for _ in range(1000)], list[int | None]()

    def give_all() -> None:
        for n, shot in enumerate(shots, 1):
            shot.give(n)

    def last() -> None:
        assert scheduler.runner.parked == len(shots)
        threading.Thread(target=give_all).start()

    scheduler.run(*(partial(lambda shot: got.append(shot.wait()), shot) for shot in shots), last)
    assert got == [*range(1, 1001)]
    assert scheduler.asides == 0


def test_a_task_gets_what_was_given_before_and_nothing_after_its_time() -> None:
    scheduler, early, late, got = OneThread(), OneShot[int](), OneShot[int](), list[int | None]()
    early.give(1)

    def work() -> None:
        got.append(early.wait(0))
        begun = time.monotonic()
        got.append(late.wait(0.1))
        assert time.monotonic() - begun >= 0.1
        got.append(OneShot[int]().wait(-1))

    scheduler.run(work)
    assert got == [1, None, None]


def test_a_woken_task_looks_whether_its_client_has_gone() -> None:
    scheduler, shot, looks, got = OneThread(), OneShot[int](), iter([False, False, True]), list[int | None]()

    def work() -> None:
        task = current_task()
        assert task is not None
        for seconds in (0.02, 0.04):
            threading.Timer(seconds, task.wake).start()
        got.append(shot.wait(60, lambda: next(looks)))

    scheduler.run(work)
    assert got == [None]


def test_a_task_whose_client_has_left_before_does_not_wait() -> None:
    scheduler, got, given = OneThread(), list[int | None](), OneShot[int]()
    given.give(1)
    scheduler.run(lambda: got.append(OneShot[int]().wait(60, lambda: True)))
    scheduler.run(lambda: got.append(given.wait(60, lambda: True)))
    assert got == [None, 1]


def test_a_task_that_holds_an_order_waits_with_its_thread() -> None:
    scheduler, lock, shot, got = OneThread(), OrderLock(), OneShot[int](), list[object]()

    def work() -> None:
        with lock:
            when(lambda: scheduler.asides, lambda: shot.give(7))
            got.append(shot.wait(60))

    scheduler.run(work, lambda: got.append("the next task"))
    assert got == [7, "the next task"]
    assert scheduler.asides == 1


def test_a_gate_wakes_threads_and_tasks() -> None:
    gate, got = Gate(), list[bool]()
    assert not gate.wait(0.01)
    threads = [threading.Thread(target=lambda: got.append(gate.wait(30))) for _ in range(2)]
    for thread in threads:
        thread.start()
    scheduler = OneThread()
    scheduler.run(*[lambda: got.append(gate.wait(30))] * 3, lambda: threading.Timer(0.05, gate.set).start())
    for thread in threads:
        thread.join(30)
    assert got == [True] * 5
    assert gate.is_set()
    assert gate.wait(0)
    gate.clear()
    assert not gate.wait(0)
    assert gate._waiting == []
