"""The pool does all it is given, with no more threads than it may have; and the attention of a thread can be called from a signal handler."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from tests.link.attached import until
from xmpp_rest.threads.attention import Attention
from xmpp_rest.threads.daemon_pool import DaemonPool


@pytest.fixture
def pool() -> Iterator[DaemonPool]:
    pool = DaemonPool(3, "tested")
    yield pool
    pool.stop()


def test_all_is_done_by_so_many_threads(pool: DaemonPool) -> None:
    done = threading.Semaphore(0)
    by: set[int] = set()

    def work() -> None:
        by.add(threading.get_ident())
        done.release()

    for _ in range(200):
        pool.submit(work)
    for _ in range(200):
        assert done.acquire(timeout=30)
    assert 1 <= len(by) <= 3


def test_blocking_work_leaves_the_other_threads(pool: DaemonPool) -> None:
    go_on, done = threading.Event(), threading.Semaphore(0)

    def block() -> None:
        assert go_on.wait(30)

    for _ in range(2):
        pool.submit(block)
    for _ in range(5):
        pool.submit(done.release)
    for _ in range(5):
        assert done.acquire(timeout=30)
    go_on.set()


def test_work_that_fails_costs_no_thread(pool: DaemonPool, caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Semaphore(0)

    def fail() -> None:
        raise ValueError("planned")

    for _ in range(5):
        pool.submit(fail)
        pool.submit(done.release)
        assert done.acquire(timeout=30)
    until(lambda: caplog.text.count("work on another thread failed") == 5)


def test_pool_that_has_ended_takes_nothing(pool: DaemonPool) -> None:
    pool.submit(lambda: None)
    pool.stop()
    with pytest.raises(RuntimeError):
        pool.submit(lambda: None)


def test_call_before_the_wait_is_remembered_once() -> None:
    attention = Attention()
    attention.call()
    attention.call()
    assert attention.wait(30)
    assert not attention.wait(0)


def test_signal_handler_calls_the_thread_that_waits() -> None:
    attention = Attention()
    before = signal.signal(signal.SIGUSR1, lambda *_: attention.call())
    try:
        timer = threading.Timer(0.05, signal.pthread_kill, (threading.get_ident(), signal.SIGUSR1))
        timer.start()
        begun = time.monotonic()
        assert attention.wait(30)
        assert time.monotonic() - begun < 20
        timer.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
