"""Deadlines of connections, to the second."""

from __future__ import annotations

import logging
import time

import pytest

from xmpp_rest.serving.wheel import Wheel


class Item:
    def __init__(self, name: str, ended: list[str]) -> None:
        self.due: float | None = None
        self.slot = 0
        self._name = name
        self._ended = ended

    def overdue(self) -> None:
        self._ended.append(self._name)
        if self._name == "fails":
            raise ZeroDivisionError


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic time, which tests set."""
    clock = [1000.5]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    return clock


def test_deadlines_are_kept(now: list[float]) -> None:
    ended: list[str] = []
    wheel: Wheel[Item] = Wheel()
    early, moved, lifted, removed = (Item(name, ended) for name in ("early", "moved", "lifted", "removed"))
    for item in (early, moved, lifted, removed):
        wheel.set(item, 1002.0)
    wheel.set(moved, 1005.0)
    lifted.due = None
    wheel.remove(removed)
    now[0] = 1003.1
    wheel.turn()
    assert ended == ["early"]
    now[0] = 1006.1
    wheel.turn()
    assert ended == ["early", "moved"]
    now[0] = 1100.0
    wheel.turn()
    assert ended == ["early", "moved"]


def test_a_deadline_may_come_nearer(now: list[float]) -> None:
    ended: list[str] = []
    wheel: Wheel[Item] = Wheel()
    item = Item("item", ended)
    wheel.set(item, 1060.0)
    wheel.set(item, 1002.0)
    now[0] = 1003.1
    wheel.turn()
    assert ended == ["item"]


def test_an_item_that_fails_costs_no_other_its_deadline(now: list[float], caplog: pytest.LogCaptureFixture) -> None:
    ended: list[str] = []
    wheel: Wheel[Item] = Wheel()
    for name in ("one", "fails", "another"):
        wheel.set(Item(name, ended), 1002.0)
    now[0] = 1003.1
    with caplog.at_level(logging.ERROR):
        wheel.turn()
    assert sorted(ended) == ["another", "fails", "one"]
    assert "a deadline could not be kept" in caplog.text
