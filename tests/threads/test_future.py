"""Does the first that is given count, and does who waits get it, or nothing in time?"""

from __future__ import annotations

import threading
import time

from xmpp_rest.threads.future import Once


def test_what_is_there_is_there_at_once() -> None:
    once = Once[str]()
    assert once.give("first")
    assert not once.give("second")
    assert once.wait(0) == "first"


def test_nothing_comes_in_time() -> None:
    started = time.monotonic()
    assert Once[str]().wait(0.05) is None
    assert time.monotonic() - started >= 0.05
    assert Once[str]().wait(-1) is None


def test_who_waits_is_woken() -> None:
    once = Once[int]()
    threading.Timer(0.05, once.give, [7]).start()
    assert once.wait(float(10**12)) == 7


def test_of_many_one_counts() -> None:
    for _ in range(50):
        once = Once[int]()
        counted: list[int] = []
        threads = [threading.Thread(target=give, args=(once, n, counted)) for n in range(1, 9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        assert counted == [once.value]


def give(once: Once[int], value: int, counted: list[int]) -> None:
    if once.give(value):
        counted.append(value)
