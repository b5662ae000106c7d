"""Do jobs of one sender keep their order while those of others go on?"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from xmpp_rest.service.serial import SerialPool


@pytest.fixture
def pool() -> Iterator[SerialPool]:
    pool = SerialPool("test", 3, 100)
    pool.start()
    yield pool
    pool.stop()


def test_order_and_no_overlap_of_one_key(pool: SerialPool) -> None:
    done: list[int] = []
    busy = threading.Lock()
    finished = threading.Event()

    def job(n: int) -> None:
        assert busy.acquire(blocking=False), "two jobs of one key at once"
        time.sleep(0.001)
        done.append(n)
        busy.release()
        if n == 49:
            finished.set()

    for n in range(50):
        assert pool.submit("a", lambda n=n: job(n))  # type: ignore[misc]
    assert finished.wait(5)
    assert done == list(range(50))


def test_a_slow_key_holds_up_nobody_else(pool: SerialPool) -> None:
    gate, other = threading.Event(), threading.Event()
    pool.submit("slow", lambda: gate.wait(5) and None)
    pool.submit("slow", lambda: None)
    pool.submit("other", other.set)
    assert other.wait(2)
    gate.set()


def test_no_key_keeps_a_thread_to_itself() -> None:
    pool = SerialPool("one", 1, 100)
    order: list[str] = []
    done = threading.Event()
    for key in "aaab":
        pool.submit(key, lambda key=key: order.append(key))  # type: ignore[misc]
    pool.submit("a", done.set)
    pool.start()
    assert done.wait(5)
    pool.stop()
    assert order == ["a", "b", "a", "a"]


def test_the_queue_is_bounded() -> None:
    pool = SerialPool("full", 1, 2)
    assert [pool.submit("a", lambda: None) for _ in range(3)] == [True, True, False]


def test_a_failing_job_ends_nothing(pool: SerialPool, caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()
    pool.submit("a", lambda: 1 / 0 and None)
    pool.submit("a", done.set)
    assert done.wait(5)
    assert "ZeroDivisionError" in caplog.text
