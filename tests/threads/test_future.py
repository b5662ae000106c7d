"""A one-shot value: the first one given counts, and the waiting thread gets it, or nothing in time."""

from __future__ import annotations

import threading
import time

from xmpp_rest.threads.future import OneShot


def test_one_shot_given_before_the_wait() -> None:
    shot = OneShot[str]()
    assert shot.give("first")
    assert not shot.give("second")
    assert shot.wait(0) == "first"


def test_one_shot_times_out() -> None:
    started = time.monotonic()
    assert OneShot[str]().wait(0.05) is None
    assert time.monotonic() - started >= 0.05
    assert OneShot[str]().wait(-1) is None


def test_one_shot_wakes_the_waiting_thread() -> None:
    shot = OneShot[int]()
    threading.Timer(0.05, shot.give, [7]).start()
    assert shot.wait(float(10**12)) == 7


def test_one_shot_takes_one_value_of_many() -> None:
    for _ in range(50):
        shot = OneShot[int]()
        counted: list[int] = []
        threads = [threading.Thread(target=give, args=(shot, n, counted)) for n in range(1, 9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert counted == [shot.value]


def give(shot: OneShot[int], value: int, counted: list[int]) -> None:
    if shot.give(value):
        counted.append(value)
