"""The keyed pool: jobs of one key keep their order while those of others go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from xmpp_rest.threads.crew import Crew, ThreadCrew
from xmpp_rest.threads.future import Gate
from xmpp_rest.threads.keyed_pool import KeyedPool
from xmpp_rest.threads.task_thread import TaskThread
from xmpp_rest.threads.tasks import pause


@pytest.fixture(params=[TaskThread, ThreadCrew])
def crew(request: pytest.FixtureRequest) -> Crew:
    workers: Crew = request.param("test")
    return workers


@pytest.fixture
def pool(crew: Crew) -> Iterator[KeyedPool]:
    pool = KeyedPool(crew, 3, 100)
    pool.start()
    yield pool
    pool.stop()


def test_jobs_of_one_key_keep_their_order_and_do_not_overlap(pool: KeyedPool) -> None:
    done: list[int] = []
    busy = threading.Lock()
    finished = threading.Event()

    def job(n: int) -> None:
        assert busy.acquire(blocking=False), "two jobs of one key at once"
        pause(0.001)
        done.append(n)
        busy.release()
        if n == 49:
            finished.set()

    for n in range(50):
        assert pool.submit("a", lambda n=n: job(n))  # type: ignore[misc]
    assert finished.wait(30)
    assert done == list(range(50))


def test_a_slow_key_delays_no_other(pool: KeyedPool) -> None:
    gate, other = Gate(), threading.Event()
    pool.submit("slow", lambda: gate.wait(60) and None)
    pool.submit("slow", lambda: None)
    pool.submit("other", other.set)
    assert other.wait(30)
    gate.set()


def test_keys_take_turns(crew: Crew) -> None:
    pool = KeyedPool(crew, 1, 100)
    order: list[str] = []
    done = threading.Event()
    for key in "aaab":
        pool.submit(key, lambda key=key: order.append(key))  # type: ignore[misc]
    pool.submit("a", done.set)
    pool.start()
    assert done.wait(30)
    pool.stop()
    assert order == ["a", "b", "a", "a"]


def test_the_keyed_pool_is_bounded(crew: Crew) -> None:
    pool = KeyedPool(crew, 1, 2)
    assert [pool.submit("a", lambda: None) for _ in range(3)] == [True, True, False]


def test_a_failing_job_does_not_stop_its_key(pool: KeyedPool, caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()
    pool.submit("a", lambda: 1 / 0 and None)
    pool.submit("a", done.set)
    assert done.wait(30)
    assert "ZeroDivisionError" in caplog.text


def test_a_retried_job_keeps_its_place_and_no_worker(crew: Crew) -> None:
    pool = KeyedPool(crew, 1, 100)
    order: list[str] = []
    done = threading.Event()
    started = time.monotonic()
    left = iter(range(2))

    def stubborn() -> float | None:
        order.append("stubborn")
        return 0.1 if next(left, None) is not None else None

    pool.submit("a", stubborn)
    pool.submit("a", lambda: order.append("after") or done.set())
    pool.submit("b", lambda: order.append("other"))
    pool.start()
    assert done.wait(30)
    assert order == ["stubborn", "other", "stubborn", "stubborn", "after"]
    assert time.monotonic() - started >= 0.2, "each attempt waits for what the job said"
    assert (pool.waiting, pool.retrying) == (0, 0)
    pool.stop()


def test_an_idle_worker_wakes_for_a_retry(pool: KeyedPool) -> None:
    """One worker is busy when the time comes: another one has to see it."""
    done, gate = threading.Event(), Gate()
    again = iter([0.2])
    pool.submit("a", lambda: next(again, None) or done.set())
    pool.submit("b", lambda: gate.wait(60) and None)
    pool.submit("c", lambda: gate.wait(60) and None)
    assert done.wait(30)
    gate.set()


def test_many_retries_at_once(pool: KeyedPool) -> None:
    done: list[int] = []
    for n in range(20):
        again = iter([0.2])
        pool.submit(n, lambda n=n, again=again: next(again, None) or done.append(n))  # type: ignore[misc]
    deadline = time.monotonic() + 30
    while len(done) < 20 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert sorted(done) == list(range(20))


def test_places_are_claimed_and_given_up(crew: Crew) -> None:
    pool = KeyedPool(crew, 1, 1)
    assert pool.claim()
    assert not pool.claim()
    pool.give_up()
    assert pool.claim()
    pool.put("a", lambda: None)
    pool.restore("a", lambda: None)  # whatever waits
    assert pool.waiting == 2


def test_a_stopped_pool_begins_no_job(crew: Crew) -> None:
    pool = KeyedPool(crew, 2, 10)
    ran: list[int] = []
    pool.submit("a", lambda: ran.append(1))
    pool.stop()
    pool.start()
    time.sleep(0.05)
    assert not ran


def test_a_paused_pool_begins_jobs_when_it_is_resumed(crew: Crew) -> None:
    pool = KeyedPool(crew, 2, 10)
    order: list[str] = []
    begun, done = threading.Event(), threading.Event()
    pool.pause()
    pool.start()
    pool.submit("a", lambda: order.append("a") or begun.set())
    pool.submit("a", done.set)
    assert not begun.wait(0.05)
    assert pool.waiting == 2
    order.append("resumed")
    pool.resume()
    assert done.wait(30)
    pool.stop()
    assert order == ["resumed", "a"]


def test_only_so_many_jobs_run_at_once_unless_they_leave(crew: Crew) -> None:
    """Spare workers do not count; a job that has left does not either, but its key still waits for it."""
    pool = KeyedPool(crew, 2, 100)
    begun = threading.Semaphore(0)
    gates = [Gate() for _ in range(4)]
    order: list[str] = []

    def job(name: str, gate: Gate, *, leaves: bool) -> None:
        order.append(name)
        begun.release()
        if leaves:
            pool.leave()
        gate.wait(30)
        order.append(f"{name} ended")

    for n, key in enumerate("abca"):
        pool.submit(key, lambda n=n, key=key: job(f"{key}{n}", gates[n], leaves=key == "b"))  # type: ignore[misc]
    pool.start()
    expected = 2 + bool(crew.spare)
    for _ in range(expected):
        assert begun.acquire(timeout=30)
    assert not begun.acquire(timeout=0.1), "b has left, if there is a worker to spare; a and c run, and the other job of a waits for the first"
    for n in range(4):
        gates[n].set()
    for _ in range(4 - expected):
        assert begun.acquire(timeout=30)
    pool.stop()
    assert order.index("a0 ended") < order.index("a3")
    assert sorted(order) == sorted(f"{name}{end}" for name in ("a0", "b1", "c2", "a3") for end in ("", " ended"))
