"""Timers are called in time and in order, and cancelled ones are forgotten."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from xmpp_rest.threads.timers import FEW, Timers


@pytest.fixture
def timers() -> Iterator[Timers]:
    timers = Timers()
    yield timers
    timers.stop()


def test_timers_are_called_in_time_and_in_order(timers: Timers) -> None:
    came: list[tuple[str, float]] = []
    over = threading.Event()
    started = time.monotonic()
    for name, seconds in (("late", 1.3), ("early", 0.1), ("middle", 0.7)):
        timers.after(seconds, lambda name=name: came.append((name, time.monotonic() - started)))  # type: ignore[misc]
    timers.after(1.4, over.set)
    assert over.wait(30)
    assert [name for name, _ in came] == ["early", "middle", "late"]
    assert all(when >= due for (_, when), due in zip(came, (0.1, 0.7, 1.3), strict=True))


def test_timers_with_a_grain_are_due_together_and_none_too_early(timers: Timers) -> None:
    came: list[tuple[float, float]] = []
    over = threading.Event()
    for n in range(20):
        timers.after(10 + n / 100, lambda: None, 5)
    assert len({when for when, _, _ in timers._due._heap}) <= 2
    for n in range(20):
        due = time.monotonic() + n / 100
        timers.after(n / 100, lambda due=due: came.append((due, time.monotonic())), 0.1)  # type: ignore[misc]
    timers.after(0.5, over.set)
    assert over.wait(30)
    assert [when >= due for due, when in came] == [True] * 20


def test_a_failing_timer_does_not_stop_the_others(timers: Timers, caplog: pytest.LogCaptureFixture) -> None:
    over = threading.Event()
    timers.after(0, lambda: 1 / 0)  # type: ignore[arg-type]
    timers.after(0.05, over.set)
    assert over.wait(30)
    assert "could not be kept" in caplog.text


def test_cancelled_timers_are_not_called_and_do_not_pile_up(timers: Timers) -> None:
    came: list[int] = []
    over = threading.Event()
    timers.cancel(timers.after(0.05, lambda: came.append(1)))
    for _ in range(5 * FEW):
        timer = timers.after(600, lambda: came.append(2))
        timers.cancel(timer)
        timers.cancel(timer)
    assert len(timers) <= FEW + 2
    timers.after(0.1, over.set)
    assert over.wait(30)
    assert came == []
