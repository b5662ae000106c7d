"""Throttle: guessing is slowed, and valid credentials from the same address always pass."""

from __future__ import annotations

import threading

import pytest

from tests.processes.memory import alone
from xmpp_rest.auth.throttle import BURST, LEAST, SHARE, Throttle, network_of

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
    monkeypatch.setattr("xmpp_rest.auth.throttle.pause", lambda seconds: clock.sleep(seconds))
    return clock


def test_failures_up_to_the_limit_cost_nothing(clock: Clock) -> None:
    throttle = Throttle(3, alone())
    for _ in range(3):
        assert throttle.admit(KEY) == 0
        throttle.cost(KEY, 5.0)
        assert throttle.failed(KEY) == 0
    assert throttle.admit(KEY) == 0


def test_few_are_judged_after_too_many(clock: Clock) -> None:
    throttle = Throttle(1, alone())
    throttle.failed(KEY)
    judged = [not throttle.admit(KEY) for _ in range(100)]
    assert judged.count(True) == pytest.approx(BURST * SHARE / LEAST, abs=2)
    assert not judged[-1]
    clock.now += 1
    assert [throttle.admit(KEY) == 0 for _ in range(100)].count(True) == pytest.approx(SHARE / LEAST, abs=2)


def test_the_right_one_uses_nothing_up(clock: Clock) -> None:
    throttle = Throttle(1, alone())
    for _ in range(3):
        throttle.failed(KEY)
    throttle.succeeded(KEY)
    for _ in range(3):
        throttle.failed(KEY)
    for _ in range(500):
        assert throttle.admit(KEY) == 0
        throttle.succeeded(KEY)


def test_what_takes_long_is_judged_less_often(clock: Clock) -> None:
    throttle, judged = Throttle(1, alone()), 0
    throttle.failed(KEY)
    for _ in range(500):
        if not throttle.admit(KEY):
            judged += 1
            throttle.cost(KEY, 0.05)
        clock.now += 0.01
    assert judged * 0.05 <= (5 + BURST) * SHARE + 0.05


def test_the_right_one_begins_the_count_anew(clock: Clock) -> None:
    throttle = Throttle(1, alone())
    throttle.failed(KEY)
    assert throttle.failed(KEY) > 0
    throttle.succeeded(KEY)
    assert throttle.failed(KEY) == 0


def test_what_was_wrong_before_takes_nobodys_turn(clock: Clock) -> None:
    throttle = Throttle(1, alone())
    for old in (b"1", b"2"):
        throttle.failed(KEY, lambda old=old: old)  # type: ignore[misc]
    assert all(throttle.admit(KEY, lambda: b"1") > 2 and throttle.admit(KEY, lambda: b"2") > 2 for _ in range(50))
    assert throttle.admit(KEY, lambda: b"3") == 0
    for n in range(20):
        throttle.failed(KEY, lambda n=n: bytes([n]))  # type: ignore[misc]
    assert throttle.admit(KEY, lambda: b"1") == 0, "few are remembered"


def test_nobody_waits_for_another_account_or_address(clock: Clock) -> None:
    throttle = Throttle(1, alone())
    for _ in range(5):
        throttle.failed(KEY)
    assert [throttle.admit(key) for key in (("nurse", KEY[1]), (KEY[0], "192.0.2.2"))] == [0, 0]
    assert clock.slept == []


def test_the_window_ends(clock: Clock) -> None:
    throttle = Throttle(2, alone(), 60)
    for _ in range(4):
        throttle.failed(KEY)
    clock.now += 60
    assert (throttle.admit(KEY), throttle.failed(KEY), clock.slept) == (0, 0, [])


def test_a_success_now_and_then_does_not_allow_any_number_of_failures(clock: Clock) -> None:
    throttle = Throttle(2, alone())
    waits = []
    for _ in range(10):
        waits.append(throttle.failed(KEY))
        throttle.succeeded(KEY)
    assert [bool(wait) for wait in waits] == [False] * 3 + [True] * 7


def test_few_threads_are_held_whatever_is_tried(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    throttle, entered, let = Throttle(1, alone(), waiting=2), threading.Semaphore(0), threading.Event()

    def sleep(_: float) -> None:
        entered.release()
        assert let.wait(30)

    monkeypatch.setattr(clock, "sleep", sleep)
    threads = [threading.Thread(target=throttle.hold) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert entered.acquire(timeout=30)
    throttle.hold()
    assert not entered.acquire(blocking=False), "the third is answered at once"
    let.set()
    for thread in threads:
        thread.join()


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Throttle, "REMEMBERED", 10)
    throttle = Throttle(1, alone())
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
    throttle = Throttle(2, alone())
    assert [throttle.failed(("juliet", f"2001:db8::{n}")) > 0 for n in range(1, 4)] == [False, False, True]
    assert throttle.failed(("juliet", "2001:db8:0:1::1")) == 0
    assert throttle.unban("2001:db8::ffff") == 1
    assert throttle.failed(("juliet", "2001:db8::1")) == 0
