"""The group executor and tasks: all that comes in one round is one group, whose leader is called at the end of the round."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
from greenlet import GreenletExit

from tests.threads.scheduler import OneThread
from xmpp_rest.link.journal import Journal
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.group import GroupExecutor
from xmpp_rest.threads.tasks import OrderLock, Task, current_task, may_park


class Doubling:
    """Answers numbers with their doubles."""

    def __init__(self, most: int = 1000) -> None:
        self.calls: list[list[int]] = []
        self.on_call: Callable[[], object] = lambda: None
        self.group: GroupExecutor[int, int] = GroupExecutor(self, most)

    def __call__(self, items: list[int]) -> Sequence[int]:
        self.calls.append(items)
        self.on_call()
        return [2 * item for item in items]

    def ask(self, came: list[object], *items: int) -> None:
        try:
            came.append(self.group.run(items))
        except Exception as e:
            came.append(e)


def test_all_of_a_round_is_one_group() -> None:
    work, scheduler, came = Doubling(), OneThread(), list[object]()
    scheduler.run(*(partial(work.ask, came, n) for n in range(500)))
    assert came == [[2 * n] for n in range(500)]
    assert work.calls == [[*range(500)]]
    assert scheduler.asides == 0


def test_a_bounded_group_goes_on_in_the_next_round() -> None:
    work, scheduler, came = Doubling(most=3), OneThread(), list[object]()
    scheduler.run(*(partial(work.ask, came, n) for n in range(8)))
    assert came == [[2 * n] for n in range(8)]
    assert work.calls == [[0, 1, 2], [3, 4, 5], [6, 7]]
    assert scheduler.rounds == 3


def test_what_is_raised_is_raised_in_all_tasks() -> None:
    work, scheduler, came = Doubling(), OneThread(), list[object]()
    error = OSError("full")

    def fail() -> None:
        raise error

    work.on_call = fail
    scheduler.run(*[partial(work.ask, came, 1)] * 3)
    assert came == [error] * 3
    assert not work.group._led


def test_no_group_parks_its_leader_nor_the_group_within() -> None:
    """The leader may not park: a thread that waits for the group may be that on which it would be parked."""
    inner, outer, scheduler, parks, came = Doubling(), Doubling(), OneThread(), list[bool](), list[object]()

    def within() -> None:
        parks.append(may_park() is not None)
        inner.group.run([7])

    outer.on_call = within
    scheduler.run(*(partial(outer.ask, came, n) for n in range(3)))
    assert (outer.calls, inner.calls) == ([[0, 1, 2]], [[7]])
    assert parks == [False]
    assert scheduler.rounds == 1


def test_work_that_runs_the_group_again_works_at_once() -> None:
    calls: list[list[int]] = []

    def work(items: list[int]) -> list[int]:
        calls.append(items)
        return [sum(group.run([item - 1])) for item in items] if items[0] else items

    group: GroupExecutor[int, int] = GroupExecutor(work, 10)
    came: list[Sequence[int]] = []
    OneThread().run(lambda: came.append(group.run([2])))
    assert came == [[0]]
    assert calls == [[2], [1], [0]]


def test_a_thread_takes_over_what_is_only_scheduled() -> None:
    work, scheduler, came = Doubling(), OneThread(), list[object]()

    def thread() -> None:  # comes within the round, and is not kept until its end
        other = threading.Thread(target=work.ask, args=(came, 2))
        other.start()
        other.join(30)
        assert not other.is_alive()
        assert work.calls == [[1, 2]]

    scheduler.run(partial(work.ask, came, 1), thread, partial(work.ask, came, 3))
    assert came == [[4], [2], [6]]
    assert work.calls == [[1, 2], [3]]
    assert not work.group._led


def test_a_task_that_holds_an_order_takes_over_too() -> None:
    work, scheduler, lock, came = Doubling(), OneThread(), OrderLock(), list[object]()

    def holding() -> None:
        with lock:
            work.ask(came, 2)

    scheduler.run(partial(work.ask, came, 1), holding, holding)
    assert came == [[4], [4], [2]]
    assert work.calls == [[1, 2], [2]]


def test_tasks_wait_for_a_thread_that_leads() -> None:
    work, scheduler, came, gate, entered = Doubling(), OneThread(), list[object](), threading.Event(), threading.Event()

    def wait() -> None:
        entered.set()
        assert gate.wait(30)

    work.on_call = wait
    thread = threading.Thread(target=work.ask, args=(came, 0))
    thread.start()
    assert entered.wait(30)
    scheduler.run(*(partial(work.ask, came, n) for n in range(1, 4)), gate.set)
    thread.join(30)
    assert sorted(map(repr, came)) == ["[0]", "[2]", "[4]", "[6]"]
    assert work.calls == [[0], [1, 2, 3]]


def test_a_leader_that_waits_for_others_parks() -> None:
    """As the messages of a follower on their way to the leader: meanwhile the next ones gather."""
    answers, calls = [OneShot[bool]() for _ in range(2)], list[list[int]]()

    def work(items: list[int]) -> list[int]:
        calls.append(items)
        assert answers[len(calls) - 1].wait(30)
        return [2 * item for item in items]

    group: GroupExecutor[int, int] = GroupExecutor(work, 10, parks=True)
    scheduler, came = OneThread(), list[Sequence[int]]()

    def ask(n: int) -> None:
        came.append(group.run([n]))

    def later() -> None:
        assert calls == [[1, 2]]
        for n in (3, 4):
            scheduler.at_end(partial(ask, n))
        threading.Timer(0.1, answers[0].give, [True]).start()
        threading.Timer(0.2, answers[1].give, [True]).start()

    scheduler.run(partial(ask, 1), partial(ask, 2), lambda: scheduler.at_end(later))
    assert came == [[2], [4], [6], [8]]
    assert calls == [[1, 2], [3, 4]]
    assert scheduler.asides == 0


@pytest.mark.parametrize("on", ["this thread", "another thread"])
def test_who_waits_with_a_thread_does_not_wait_for_a_parked_leader(on: str) -> None:
    answer, scheduler, lock, came = OneShot[bool](), OneThread(), OrderLock(), list[Sequence[int]]()

    def work(items: list[int]) -> list[int]:
        if 1 in items:
            assert answer.wait(30)
        return [2 * item for item in items]

    group: GroupExecutor[int, int] = GroupExecutor(work, 10, parks=True)

    def second() -> None:
        if on == "this thread":
            with lock:
                came.append(group.run([2]))
        else:
            thread = threading.Thread(target=lambda: came.append(group.run([2])))
            thread.start()
            thread.join(30)
        answer.give(True)

    scheduler.run(lambda: came.append(group.run([1])), lambda: scheduler.at_end(second))
    assert came == [[4], [2]]


@pytest.mark.parametrize("interrupt", [GreenletExit, KeyboardInterrupt])
def test_an_interrupted_task_leaves_the_others_their_results(interrupt: type[BaseException]) -> None:
    work, scheduler, came, tasks = Doubling(), OneThread(), list[object](), list[Task]()

    def ask() -> None:
        task = current_task()
        assert task is not None
        tasks.append(task)
        try:
            work.ask(came, 1)
        except interrupt:
            came.append("interrupted")

    scheduler.runner.spawn(ask)
    tasks[0].throw(interrupt)
    scheduler.runner.parked -= 1
    scheduler.run(partial(work.ask, came, 2), partial(work.ask, came, 3))
    assert came == ["interrupted", [4], [6]]
    assert work.calls == [[2, 3]]
    assert not work.group._led


def test_the_lead_of_an_interrupted_task_alone_ends() -> None:
    work, scheduler, came, tasks = Doubling(), OneThread(), list[object](), list[Task]()

    def ask() -> None:
        task = current_task()
        assert task is not None
        tasks.append(task)
        work.ask(came, 1)

    scheduler.runner.spawn(ask)
    tasks[0].throw(GreenletExit)
    scheduler.runner.parked -= 1
    scheduler.run()
    assert (came, work.calls, work.group._led) == ([], [], False)
    scheduler.run(partial(work.ask, came, 2))
    assert came == [[4]]


def test_an_interrupted_leader_fails_its_group() -> None:
    work, scheduler, came = Doubling(), OneThread(), list[object]()

    def interrupt() -> None:
        work.on_call = lambda: None
        raise GreenletExit

    work.on_call = interrupt
    scheduler.run(partial(work.ask, came, 1), partial(work.ask, came, 2))
    assert [type(one) for one in came] == [RuntimeError] * 2
    scheduler.run(partial(work.ask, came, 3))
    assert came[2] == [6]


def test_what_is_left_with_a_callback_by_a_task_is_in_the_group_of_the_round() -> None:
    work, scheduler, came = Doubling(), OneThread(), list[object]()

    def unused(_: Callable[[], None]) -> None:
        raise AssertionError("the end of the round leads")

    scheduler.run(lambda: work.group.submit([1], came.append, unused), partial(work.ask, came, 2))
    assert came == [[2], [4]]
    assert work.calls == [[1, 2]]


def test_threads_and_tasks_mixed() -> None:
    """Several servers' threads with tasks, and plain threads, at one group and a group within: nobody waits in vain, nothing is done twice."""
    inner, order = Doubling(most=5), list[int]()
    outer: GroupExecutor[int, int] = GroupExecutor(lambda items: inner.group.run(items), 7, order.extend)
    came: list[tuple[int, Sequence[int]]] = []
    lock = OrderLock()

    def ask(n: int) -> None:
        if n % 10 == 3:
            with lock:
                came.append((n, outer.run([n])))
        else:
            came.append((n, outer.run([n])))

    def plain(start: int) -> None:
        for n in range(start, start + 200):
            ask(n)

    def serving(start: int) -> None:
        scheduler = OneThread()
        for n in range(start, start + 200, 20):
            scheduler.run(*(partial(ask, m) for m in range(n, n + 20)))

    threads = [threading.Thread(target=(plain, serving)[n % 2], args=(1000 * n,), daemon=True) for n in range(6)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 60
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
        assert not thread.is_alive()
    assert sorted(came) == [(n, [2 * n]) for n in sorted(order)]
    assert sorted(order) == [1000 * t + n for t in range(6) for n in range(200)]
    assert [n for call in inner.calls for n in call] == order


def test_a_round_waits_for_the_disk_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs: list[int] = []
    journal = Journal(tmp_path / "a.journal")
    fdatasync = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: (syncs.append(descriptor), fdatasync(descriptor)))
    numbers: list[int] = []
    OneThread().run(*[lambda: numbers.extend(journal.append(["text"]))] * 200)
    assert len(syncs) == 1
    assert numbers == [*range(1, 201)]
    journal.close()
    assert Journal(tmp_path / "a.journal").unacknowledged() == [(n, "text") for n in range(1, 201)]


def test_a_process_that_is_forked_off_has_its_own_tasks() -> None:
    work, came = Doubling(), list[object]()
    scheduler = OneThread()

    def fork() -> None:
        child = os.fork()
        if not child:
            own = list[object]()
            OneThread().run(partial(Doubling().ask, own, 4))
            os._exit(0 if own == [[8]] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    scheduler.run(partial(work.ask, came, 1))
    fork()
    scheduler.run(partial(work.ask, came, 2))
    assert came == [[2], [4]]


def test_a_task_that_is_alone_leads_at_once() -> None:
    work, scheduler, came = Doubling(), OneThread(always_busy=False), list[object]()
    scheduler.run(partial(work.ask, came, 1))
    assert (came, work.calls, scheduler.rounds) == ([[2]], [[1]], 0)


def test_a_task_beside_others_leads_at_the_end_of_the_round() -> None:
    work, scheduler, came = Doubling(), OneThread(always_busy=False), list[object]()

    def first() -> None:
        scheduler.at_end(lambda: work.ask(came, 3))
        work.ask(came, 1)

    scheduler.run(first, partial(work.ask, came, 2))
    assert work.calls == [[1, 2, 3]]
    assert sorted(came, key=str) == [[2], [4], [6]]
