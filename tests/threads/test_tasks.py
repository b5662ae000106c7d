"""Tasks: many wait on one thread; who wakes them may be on any other one."""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial

import pytest
from greenlet import GreenletExit

from tests.threads.scheduler import OneThread
from xmpp_rest.threads.tasks import KEPT, OrderLock, Task, current_task, may_park, offload, pause


def current() -> Task:
    task = current_task()
    assert task is not None
    return task


def test_plain_thread_has_no_task() -> None:
    assert current_task() is None
    assert may_park() is None
    assert offload(lambda: threading.current_thread()) is threading.current_thread()


def test_tasks_wait_on_one_thread() -> None:
    scheduler, said = OneThread(), list[str]()
    tasks: list[Task] = []

    def wait() -> None:
        tasks.append(current())
        current().park()
        said.append("woken")

    def wake() -> None:
        said.append("waking")
        for task in tasks:
            task.wake()

    scheduler.run(*[wait] * 1000, wake)
    assert said == ["waking"] + ["woken"] * 1000


def test_woken_from_another_thread() -> None:
    scheduler, woken_on = OneThread(), list[int]()

    def wait() -> None:
        threading.Thread(target=current().wake).start()
        current().park()
        woken_on.append(threading.get_ident())

    scheduler.run(*[wait] * 100)
    assert woken_on == [threading.get_ident()] * 100


def test_time_up() -> None:
    scheduler = OneThread()
    waited: list[float] = []

    def wait(seconds: float) -> Callable[[], None]:
        def work() -> None:
            begun = time.monotonic()
            current().park(seconds)
            waited.append(time.monotonic() - begun)

        return work

    scheduler.run(wait(0.2), wait(0.1), wait(0.0))
    assert [round(seconds, 1) >= least for seconds, least in zip(waited, (0.0, 0.1, 0.2), strict=True)] == [True] * 3


def test_woken_before_it_parks() -> None:
    scheduler, parks = OneThread(), list[int]()

    def work() -> None:
        current().wake()
        current().park()
        parks.append(1)
        current().park(0.05)  # that wake-up is used up
        parks.append(2)

    scheduler.run(work)
    assert parks == [1, 2]


def test_failed_task_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    scheduler, said = OneThread(), list[str]()

    def fail() -> None:
        raise ZeroDivisionError

    with caplog.at_level(logging.ERROR):
        scheduler.run(fail, lambda: said.append("the next one"))
    assert said == ["the next one"]
    assert "a task failed" in caplog.text


def test_work_at_the_end_of_the_round() -> None:
    scheduler, said = OneThread(), list[str]()

    def work() -> None:
        said.append("begun")
        current().runner.at_end(lambda: said.append("end"))

    scheduler.run(work, work)
    assert said == ["begun", "begun", "end", "end"]
    assert scheduler.rounds == 1


def test_offloaded_work() -> None:
    scheduler, said, begun = OneThread(), list[object](), threading.Event()

    def work() -> None:
        said.append(offload(lambda: begun.wait(30) and threading.get_ident()) != threading.get_ident())
        with pytest.raises(ZeroDivisionError):
            offload(lambda: 1 // 0)

    def meanwhile() -> None:
        said.append("meanwhile")
        begun.set()

    scheduler.run(work, meanwhile)
    assert said == ["meanwhile", True]


@pytest.mark.parametrize("reentrant", [False, True])
def test_holder_of_an_order_lock_does_not_park(reentrant: bool) -> None:
    scheduler, said = OneThread(), list[bool]()
    lock = OrderLock(reentrant=reentrant)

    def work() -> None:
        with lock:
            said.append(may_park() is None)
        said.append(may_park() is current())

    scheduler.run(work)
    assert said == [True, True]


def test_who_holds_an_order_lock_steps_aside_for_another_one() -> None:
    scheduler, lock, held = OneThread(), OrderLock(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            while not scheduler.asides:
                time.sleep(0.001)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(30)

    def work() -> None:
        with OrderLock(), lock:
            pass

    scheduler.run(work)
    thread.join()
    assert scheduler.asides == 1


@pytest.mark.parametrize("reentrant", [False, True])
def test_tasks_that_wait_for_an_order_lock_park_in_their_order(reentrant: bool) -> None:
    scheduler, lock, held, let, got = OneThread(), OrderLock(reentrant=reentrant), threading.Event(), threading.Event(), list[int]()

    def hold() -> None:
        with lock:
            held.set()
            assert let.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(30)

    def work(n: int) -> None:
        with lock:
            got.append(n)
            assert may_park() is None

    scheduler.run(*(partial(work, n) for n in range(100)), let.set)
    thread.join()
    assert got == [*range(100)]
    assert scheduler.asides == 0
    assert not lock._parked


def test_a_lock_is_not_kept_for_a_task_whose_thread_is_busy() -> None:
    """The first that waits is woken, but its thread does something else: others have the lock meanwhile."""
    lock, held, let, busy, free, got = OrderLock(), threading.Event(), threading.Event(), threading.Event(), threading.Event(), list[str]()

    def hold() -> None:
        with lock:
            held.set()
            assert let.wait(30)

    def wait(name: str) -> None:
        assert held.wait(30)
        with lock:
            got.append(name)

    def block() -> None:
        busy.set()
        assert free.wait(30)

    def second() -> None:
        assert busy.wait(30)
        OneThread().run(lambda: wait("second"), let.set)
        free.set()

    threads = [threading.Thread(target=work) for work in (hold, lambda: OneThread().run(lambda: wait("first"), block), second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert got == ["second", "first"]


def test_an_interrupted_task_waits_for_no_lock_any_more() -> None:
    scheduler, lock, tasks = OneThread(), OrderLock(), list[Task]()

    def work() -> None:
        tasks.append(current())
        with lock:
            raise AssertionError("it was interrupted")

    thread = threading.Thread(target=lock.acquire)
    thread.start()
    thread.join()
    scheduler.runner.spawn(work)
    tasks[0].throw(GreenletExit)
    assert not lock._parked
    lock.release()


def test_forgotten_time_outs_do_not_pile_up() -> None:
    scheduler, most = OneThread(), list[int]()

    def work() -> None:
        for _ in range(3000):
            task = current()
            task.runner.at_end(task.wake)
            task.park(3600)
            most.append(len(scheduler.runner._timeouts))

    scheduler.run(work)
    assert len(most) == 3000
    assert max(most) <= 1003


def test_tasks_are_used_again_and_begin_anew() -> None:
    scheduler, variable, tasks = OneThread(), ContextVar("variable", default=0), list[Task]()

    def work() -> None:
        assert variable.get() == 0
        variable.set(1)
        tasks.append(current())
        pause(0.001)

    def fail() -> None:
        tasks.append(current())
        raise ZeroDivisionError

    for _ in range(3):
        scheduler.run(work)
    scheduler.run(fail)
    scheduler.run(work)
    assert len(set(map(id, tasks))) == 1


def test_few_tasks_are_kept_and_nothing_that_they_worked_with() -> None:
    scheduler = OneThread()

    class Kept:
        def __call__(self) -> None:
            pause(0.001)

    works = [Kept() for _ in range(100)]
    left = [weakref.ref(work) for work in works]
    scheduler.run(*works)
    del works
    assert [ref() for ref in left] == [None] * 100
    assert len(scheduler.runner._idle) == KEPT


def test_a_thread_ends_with_its_tasks() -> None:
    scheduler, tasks = OneThread(), list[Task]()

    def work() -> None:
        tasks.append(current())
        pause(0.001)

    scheduler.run(*[work] * 3)
    assert not any(task.dead for task in tasks)
    scheduler.runner.close()
    assert all(task.dead for task in tasks)


def test_a_task_that_is_killed_is_not_used_again() -> None:
    scheduler, tasks = OneThread(), list[Task]()

    def work() -> None:
        tasks.append(current())
        if len(tasks) == 1:
            current().park()

    scheduler.runner.spawn(work)
    tasks[0].throw(GreenletExit)
    scheduler.runner.spawn(work)
    assert tasks[0].dead
    assert tasks[1] is not tasks[0]
