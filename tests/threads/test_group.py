"""The group executor: everything is done once and in order, by one thread at a time, and every caller gets its own results."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest

from tests.raising import raising
from xmpp_rest.threads.future import OneShot
from xmpp_rest.threads.group import GroupExecutor

T = TypeVar("T")


class Work:
    """Answers numbers with their doubles; the first call waits until `gate` is open."""

    def __init__(self, most: int = 64) -> None:
        self.calls: list[list[int]] = []
        self.entered, self.gate = threading.Event(), threading.Event()
        self.fail: BaseException | None = None
        self.busy = 0
        self.group: GroupExecutor[int, int] = GroupExecutor(self, most)

    def __call__(self, items: list[int]) -> Sequence[int]:
        self.busy += 1
        assert self.busy == 1
        self.calls.append(items)
        self.entered.set()
        try:
            assert self.gate.wait(30)
            if self.fail is not None and 13 in items:
                raise self.fail
        finally:
            self.busy -= 1
        return [2 * item for item in items]

    def at_once(self, groups: list[list[int]]) -> dict[tuple[int, ...], object]:
        """What came of each group, of which all but the first come while the first is being worked for."""
        came: dict[tuple[int, ...], object] = {}

        def run(group: list[int]) -> None:
            try:
                came[tuple(group)] = self.group.run(group)
            except BaseException as e:
                came[tuple(group)] = e

        threads = [threading.Thread(target=run, args=(group,)) for group in groups]
        for n, thread in enumerate(threads):
            thread.start()
            assert self.entered.wait(30)
            while len(self.group._waiting) < n:
                time.sleep(0.001)
        self.gate.set()
        for thread in threads:
            thread.join(30)
        assert not self.group._led
        return came


def test_waiting_callers_are_one_group_in_order() -> None:
    work = Work()
    assert work.at_once([[1], [2, 3], [4]]) == {(1,): [2], (2, 3): [4, 6], (4,): [8]}
    assert work.calls == [[1], [2, 3, 4]]


def test_a_group_is_bounded_but_takes_all_of_one_caller() -> None:
    work = Work(most=3)
    work.at_once([[1], [2, 3], [4], [5], [6, 7, 8, 9, 10], [11]])
    assert work.calls == [[1], [2, 3, 4], [5], [6, 7, 8, 9, 10], [11]]


def test_an_exception_is_raised_for_the_whole_group_and_the_next_group_goes_on() -> None:
    work = Work(most=2)
    work.fail = OSError("full")
    assert work.at_once([[1], [13], [2], [3]]) == {(1,): [2], (13,): work.fail, (2,): work.fail, (3,): [6]}


def test_an_interrupted_leader_fails_its_group() -> None:
    work = Work()
    work.fail = KeyboardInterrupt()
    came = work.at_once([[1], [13], [2]])
    assert (came[1,], came[13,]) == ([2], work.fail)
    assert isinstance(came[2,], RuntimeError)


@pytest.mark.parametrize("chosen", [False, True], ids=["waiting", "as it is woken to lead"])
def test_a_caller_that_is_interrupted_leaves_the_others_a_leader(monkeypatch: pytest.MonkeyPatch, chosen: bool) -> None:
    class Interrupted(OneShot[T]):
        def wait(self, *_: object, **__: object) -> T | None:
            interrupted = threading.current_thread().name == "13"
            result = super().wait() if chosen or not interrupted else None
            if interrupted:
                raise KeyboardInterrupt
            return result

    monkeypatch.setattr("xmpp_rest.threads.group.OneShot", Interrupted)
    work, came = Work(), dict[int, object]()

    def run(item: int) -> None:
        try:
            came[item] = work.group.run([item])
        except KeyboardInterrupt as e:
            came[item] = e

    threads = [threading.Thread(target=run, args=(item,), name=str(item), daemon=True) for item in (1, 13, 2)]
    for thread, waiting in zip(threads, (0, 1, 2) if chosen else (0, 0, 1), strict=True):
        thread.start()
        assert work.entered.wait(30)
        if thread.name == "13" and not chosen:
            thread.join(30)
        while len(work.group._waiting) < waiting:
            time.sleep(0.001)
    work.gate.set()
    for thread in threads:
        thread.join(30)
    assert (came[1], came[2]) == ([2], [4])
    assert isinstance(came[13], KeyboardInterrupt)
    assert work.calls == [[1], [2]]
    assert not work.group._led


def test_no_items() -> None:
    work = Work()
    work.gate.set()
    assert work.group.run([]) == []


def test_work_that_runs_the_group_executor_itself() -> None:
    calls: list[list[int]] = []

    def work(items: list[int]) -> list[int]:
        calls.append(items)
        return [sum(executor.run([item - 1])) for item in items] if items[0] else items

    executor: GroupExecutor[int, int] = GroupExecutor(work, 10)
    assert executor.run([2]) == [0]
    assert calls == [[2], [1], [0]]


@pytest.mark.parametrize("threads", [2, 16])
def test_many_threads_many_groups(threads: int) -> None:
    order: list[int] = []
    seen: list[int] = []
    executor: GroupExecutor[int, int] = GroupExecutor(lambda items: [seen.append(item) or item + 1 for item in items], 7, order.extend)

    def run(start: int) -> None:
        for n in range(start, start + 300):
            assert executor.run([n]) == [n + 1]

    workers = [threading.Thread(target=_checked(run, failures := list[Any]()), args=(1000 * n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert failures == []
    assert seen == order
    assert sorted(seen) == [1000 * t + n for t in range(threads) for n in range(300)]


def _checked(run: Callable[[int], None], failures: list[BaseException]) -> Callable[[int], None]:
    def checked(start: int) -> None:
        try:
            run(start)
        except BaseException as e:
            failures.append(e)

    return checked


class Aside:
    """An executor: a new thread for each call; counts them."""

    def __init__(self) -> None:
        self.threads: list[threading.Thread] = []

    def __call__(self, lead: Callable[[], None]) -> None:
        self.threads.append(threading.Thread(target=lead))
        self.threads[-1].start()


def left(work: Work, aside: Aside, group: list[int], came: queue.SimpleQueue[object]) -> None:
    work.group.submit(group, came.put, aside)


def test_a_callback_is_called_on_a_thread_of_the_executor() -> None:
    work, aside, came = Work(), Aside(), queue.SimpleQueue[object]()
    work.gate.set()
    left(work, aside, [1, 2], came)
    assert came.get(timeout=30) == [2, 4]
    assert len(aside.threads) == 1


def test_a_waiting_thread_leads_for_callbacks() -> None:
    work, aside, came = Work(), Aside(), queue.SimpleQueue[object]()
    threading.Thread(target=lambda: came.put(("own", work.group.run([1])))).start()
    assert work.entered.wait(30)
    left(work, aside, [2], came)
    left(work, aside, [3], came)
    second = threading.Thread(target=lambda: came.put(("own", work.group.run([4]))))
    second.start()
    while len(work.group._waiting) < 3:
        time.sleep(0.001)
    work.gate.set()
    results = [came.get(timeout=30) for _ in range(4)]
    assert work.calls == [[1], [2, 3, 4]]
    assert sorted(map(repr, results)) == sorted(map(repr, [("own", [2]), ("own", [8]), [4], [6]]))
    assert aside.threads == [], "the thread that waited was there"
    assert not work.group._led


def test_the_executor_leads_when_no_thread_waits_any_longer() -> None:
    work, aside, came = Work(), Aside(), queue.SimpleQueue[object]()
    threading.Thread(target=lambda: came.put(work.group.run([1]))).start()
    assert work.entered.wait(30)
    left(work, aside, [2], came)
    work.gate.set()
    assert [came.get(timeout=30), came.get(timeout=30)] in ([[2], [4]], [[4], [2]])
    assert len(aside.threads) == 1


def test_a_thread_after_more_than_one_group_leads_until_its_own_is_done() -> None:
    work, aside, came = Work(most=2), Aside(), queue.SimpleQueue[object]()
    first = threading.Thread(target=lambda: came.put(work.group.run([1])))
    first.start()
    assert work.entered.wait(30)
    for group in ([2, 3], [4, 5]):
        left(work, aside, group, came)
    second = threading.Thread(target=lambda: came.put(work.group.run([6])))
    second.start()
    while len(work.group._waiting) < 3:
        time.sleep(0.001)
    left(work, aside, [7], came)
    work.gate.set()
    assert sorted(repr(came.get(timeout=30)) for _ in range(5)) == ["[12]", "[14]", "[2]", "[4, 6]", "[8, 10]"]
    assert work.calls == [[1], [2, 3], [4, 5], [6, 7]]
    assert aside.threads == []


def test_a_callback_gets_the_exception_and_may_fail_itself(caplog: pytest.LogCaptureFixture) -> None:
    work, aside, came = Work(), Aside(), queue.SimpleQueue[object]()
    work.gate.set()
    work.fail = ValueError("no luck")
    left(work, aside, [13], came)
    assert came.get(timeout=30) is work.fail

    def clumsy(results: object) -> None:
        came.put(results)
        raise RuntimeError("dropped")

    work.group.submit([1], clumsy, aside)
    assert came.get(timeout=30) == [2]
    for thread in aside.threads:
        thread.join(30)
    assert "dropped" in caplog.text
    assert work.group.run([2]) == [4]


def test_a_group_is_led_at_once_when_the_executor_has_no_thread() -> None:
    executor: GroupExecutor[int, int] = GroupExecutor(lambda items: [2 * item for item in items], 10)
    told: list[object] = []
    executor.submit([1], told.append, raising(RuntimeError("can't start new thread")))
    assert told == [[2]]
    assert executor.run([3]) == [6]
