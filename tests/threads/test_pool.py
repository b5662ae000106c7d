"""Work for threads comes to an end, even that of the process."""

from __future__ import annotations

import logging
import threading

import pytest

from tests.link.attached import until
from xmpp_rest.threads.pool import CompletingPool


def test_what_no_thread_has_begun_when_the_process_stops_is_done_all_the_same() -> None:
    """Otherwise those who queue after it for their turn would wait forever."""
    pool = CompletingPool(1, "test")
    begun, gate, done = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        gate.wait(30)

    pool.submit(work)
    assert begun.wait(30)
    pool.submit(done.set)
    pool.stop()
    assert done.is_set()
    gate.set()


def test_work_that_comes_after_the_end_is_done_by_the_caller() -> None:
    pool, done = CompletingPool(1, "test"), threading.Event()
    pool.stop()
    pool.submit(done.set)
    assert done.is_set()


def test_what_is_done_at_the_end_may_leave_more_work() -> None:
    """Whoever stops the pool does it then, and does not wait for itself."""
    pool, done = CompletingPool(1, "test"), threading.Event()
    begun, gate = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        gate.wait(30)

    pool.submit(work)
    assert begun.wait(30)
    pool.submit(lambda: pool.submit(done.set))
    stopping = threading.Thread(target=pool.stop, daemon=True)
    stopping.start()
    stopping.join(30)
    assert not stopping.is_alive()
    assert done.is_set()
    gate.set()


def test_each_piece_of_work_is_done_once_while_the_pool_ends() -> None:
    pool, done = CompletingPool(4, "test"), list[int]()
    submitters = [threading.Thread(target=lambda: [pool.submit(lambda n=n: done.append(n)) for n in range(1000)]) for _ in range(3)]  # type: ignore[misc]
    for submitter in submitters:
        submitter.start()
    until(lambda: len(done) > 100)
    pool.stop()
    for submitter in submitters:
        submitter.join(30)
    until(lambda: len(done) >= 3000)
    assert sorted(done) == sorted(3 * [*range(1000)])


@pytest.mark.parametrize("is_late", [False, True])
def test_work_that_fails_costs_nobody_else_anything(caplog: pytest.LogCaptureFixture, is_late: bool) -> None:
    """Neither who submits it, such as the thread of all timers, nor the next one."""
    pool, done = CompletingPool(1, "test"), threading.Event()

    def fail() -> None:
        raise ValueError("planned")

    if is_late:
        pool.stop()
    with caplog.at_level(logging.ERROR):
        pool.submit(fail)
        pool.submit(done.set)
        assert done.wait(30)
    assert caplog.text.count("ValueError: planned") == 1
    assert "schedule" not in caplog.text
    pool.stop()
