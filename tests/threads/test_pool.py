"""Work for threads comes to an end, even that of the process."""

from __future__ import annotations

import threading

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
