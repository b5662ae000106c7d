"""How long others wait while much is removed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from drivers import Driver


def longest_wait(driver: Driver, work: Callable[[], object]) -> float:
    """The milliseconds of the slowest of the small writes that another thread makes one after the other while `work` runs."""
    slowest, done, running = 0.0, threading.Event(), threading.Event()

    def write() -> None:
        nonlocal slowest
        count = 0
        while not done.is_set():
            count += 1
            began = time.perf_counter()
            driver.store("nurse", "waiting.example", "settings", {"n": count})
            slowest = max(slowest, time.perf_counter() - began)
            running.set()

    other = threading.Thread(target=write)
    other.start()
    try:
        running.wait(30)
        slowest = 0.0
        work()
    finally:
        done.set()
        other.join()
    return slowest * 1000
