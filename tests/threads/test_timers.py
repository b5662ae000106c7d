"""Are deadlines kept, in time and in order, and forgotten when nobody waits for them?"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from xmpp_rest.threads.timers import FEW, Alarms


@pytest.fixture
def alarms() -> Iterator[Alarms]:
    alarms = Alarms()
    yield alarms
    alarms.stop()


def test_they_come_in_time_and_in_order(alarms: Alarms) -> None:
    came: list[tuple[str, float]] = []
    over = threading.Event()
    started = time.monotonic()
    for name, seconds in (("late", 0.3), ("early", 0.1), ("middle", 0.2)):
        alarms.after(seconds, lambda name=name: came.append((name, time.monotonic() - started)))  # type: ignore[misc]
    alarms.after(0.35, over.set)
    assert over.wait(5)
    assert [name for name, _ in came] == ["early", "middle", "late"]
    assert all(when >= due for (_, when), due in zip(came, (0.1, 0.2, 0.3), strict=True))


def test_one_that_fails_is_none_of_the_others_business(alarms: Alarms, caplog: pytest.LogCaptureFixture) -> None:
    over = threading.Event()
    alarms.after(0, lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    alarms.after(0.05, over.set)
    assert over.wait(5)
    assert "could not be kept" in caplog.text


def test_those_that_nobody_waits_for_do_not_come_and_do_not_gather(alarms: Alarms) -> None:
    came: list[int] = []
    over = threading.Event()
    alarms.cancel(alarms.after(0.05, lambda: came.append(1)))
    for _ in range(5 * FEW):
        alarm = alarms.after(600, lambda: came.append(2))
        alarms.cancel(alarm)
        alarms.cancel(alarm)
    assert len(alarms) <= FEW + 2
    alarms.after(0.1, over.set)
    assert over.wait(5)
    assert came == []
