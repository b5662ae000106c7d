"""Is guessing slowed, whoever else comes from the same address, and does the right one pass at any time?"""

from __future__ import annotations

import threading
import time

import pytest

from xmpp_rest.auth.throttle import PATIENCE, Throttle, network_of

KEY = ("juliet", "192.0.2.1")


class Clock:
    """A clock that stands still, but for who sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("xmpp_rest.auth.throttle.time", clock)
    return clock


def test_failures_up_to_the_limit_cost_nothing(clock: Clock) -> None:
    throttle = Throttle(3)
    assert [(throttle.turn(KEY), throttle.failed(KEY)) for _ in range(3)] == [(0, 0)] * 3
    assert clock.slept == []


def test_after_too_many_each_waits_for_its_turn(clock: Clock) -> None:
    throttle = Throttle(1)
    throttle.failed(KEY)
    for _ in range(3):
        assert throttle.turn(KEY) == 0
        assert 0 < throttle.failed(KEY) <= 61
    assert clock.slept == [1.0, 1.0]
    throttle.turn(KEY)
    throttle.succeeded(KEY)
    assert throttle.turn(KEY) == 0, "the count begins anew"
    assert clock.slept == [1.0] * 3


def test_what_was_wrong_before_takes_nobodys_turn(clock: Clock) -> None:
    throttle = Throttle(1)
    for old in (b"1", b"2"):
        throttle.failed(KEY, lambda old=old: old)  # type: ignore[misc]
    assert all(throttle.turn(KEY, lambda: b"1") > 2 and throttle.turn(KEY, lambda: b"2") > 2 for _ in range(50))
    assert throttle.turn(KEY, lambda: b"3") == 0
    assert len(clock.slept) <= 1
    for n in range(20):
        throttle.failed(KEY, lambda n=n: bytes([n]))  # type: ignore[misc]
    assert throttle.turn(KEY, lambda: b"1") == 0, "few are remembered"


def test_nobody_waits_for_another_account_or_address(clock: Clock) -> None:
    throttle = Throttle(1)
    for _ in range(5):
        throttle.failed(KEY)
    assert [throttle.turn(key) for key in (("nurse", KEY[1]), (KEY[0], "192.0.2.2"))] == [0, 0]
    assert clock.slept == []


def test_the_window_ends(clock: Clock) -> None:
    throttle = Throttle(2, 60)
    for _ in range(4):
        throttle.failed(KEY)
    clock.now += 60
    assert (throttle.turn(KEY), throttle.failed(KEY), clock.slept) == (0, 0, [])


def test_a_success_now_and_then_does_not_allow_any_number_of_failures(clock: Clock) -> None:
    throttle = Throttle(2)
    waits = []
    for _ in range(10):
        waits.append(throttle.failed(KEY))
        throttle.succeeded(KEY)
    assert [bool(wait) for wait in waits] == [False] * 3 + [True] * 7


def test_a_queue_that_is_too_long_is_refused_unseen() -> None:
    throttle, began = Throttle(1), time.monotonic()
    throttle.failed(KEY)
    results: list[int] = []
    threads = [threading.Thread(target=lambda: results.append(throttle.turn(KEY))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count(0) == 3, "at once, a second later, two seconds later"
    assert all(0 < wait <= 4 for wait in results if wait)
    assert time.monotonic() - began < PATIENCE + 5


def test_few_threads_wait_whatever_is_tried() -> None:
    throttle = Throttle(1, waiting=2)
    for n in range(10):
        throttle.failed((str(n), "192.0.2.1"))
        throttle.turn((str(n), "192.0.2.1"))
    results: list[int] = []
    threads = [threading.Thread(target=lambda n=n: results.append(throttle.turn((str(n), "192.0.2.1")))) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results.count(0) == 2


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Throttle, "REMEMBERED", 10)
    throttle = Throttle(1)
    for n in range(50):
        throttle.failed((str(n) * 1000, f"192.0.2.{n}"))
    assert len(throttle._failed) == 10
    assert max(len(account) for account, _ in throttle._failed) < 50


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("command line", "command line"),
    ],
)
def test_what_counts_as_one_client(address: str, network: str) -> None:
    assert network_of(address) == network


def test_addresses_of_a_network_count_and_are_lifted_as_one() -> None:
    throttle = Throttle(2)
    assert [throttle.failed(("juliet", f"2001:db8::{n}")) > 0 for n in range(1, 4)] == [False, False, True]
    assert throttle.failed(("juliet", "2001:db8:0:1::1")) == 0
    assert throttle.lift("2001:db8::ffff") == 1
    assert throttle.failed(("juliet", "2001:db8::1")) == 0
