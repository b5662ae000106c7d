"""Rooms that nobody has used for long are found without reading those that are in use (decision 0042)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest

from drivers import Content, Driver, Place
from tests.conftest import MakeApp
from tests.service.muc.hall import ROMEO, SERVICE, Hall

DAY = 86400
MONTH = 30 * DAY


def fill(driver: Driver, prefix: str, number: int, used: float) -> list[str]:
    options = {"persistent": "true", "mam": "true"}
    table = {"options": options, "affiliations": [], "subscribers": [], "created": 1.0, "used": used, "subject_at": 0.0}
    names = [f"{prefix}{n:05}" for n in range(number)]
    assert not any(driver.bulk_write([Content(name, SERVICE, "muc", "keyval", table, new=True) for name in names]))
    return names


class Reads:
    """The rooms that are read together."""

    def __init__(self, hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
        hall.rooms.subscriptions("nobody@montague.example")  # the index is made by now: that reads all rooms, in the background
        self.rooms: list[str | None] = []
        self._read = hall.gateway.driver.bulk_read
        monkeypatch.setattr(hall.gateway.driver, "bulk_read", self._reading)

    def _reading(self, places: Sequence[Place]) -> list[Any]:
        self.rooms += [place.user for place in places if place.store == "muc"]
        return self._read(places)


def test_only_what_may_be_unused_is_read(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    old = fill(hall.gateway.driver, "old", 5, now - MONTH)
    fill(hall.gateway.driver, "new", 700, now)
    reads = Reads(hall, monkeypatch)
    assert hall.rooms.unused(3) == old == reads.rooms
    assert len(hall.rooms.unused(0)) == 705


@pytest.mark.parametrize("driver", ["sqlite:gateway.sqlite", "flatfile:storage", "jsonfile:storage"])
def test_rooms_in_use_and_rooms_that_are_not_kept(make_app: MakeApp, driver: str) -> None:
    hall = Hall(make_app(storage_url=driver))
    names = fill(hall.gateway.driver, "old", 3, time.time() - MONTH)
    hall.enter(ROMEO)
    assert hall.rooms.unused(3) == names
    hall.enter(ROMEO, room=f"old00001@{SERVICE}")
    assert hall.rooms.unused(3) == hall.rooms.unused(0) == ["old00000", "old00002"]
    hall.leave(ROMEO, room=f"old00001@{SERVICE}")
    assert hall.rooms.unused(3) == ["old00000", "old00002"]
    hall.rooms.create("garden", {}, [], [])
    assert hall.rooms.unused(0) == ["garden", *names]


def test_what_subscribers_say_is_use_too_and_is_looked_for_once(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = hall.gateway.driver
    (name,) = fill(driver, "old", 1, time.time() - MONTH)
    driver.archive_append(name, SERVICE, "archive", "<message from='x@y'><body>b</body></message>", when=time.time())
    reads = Reads(hall, monkeypatch)
    assert hall.rooms.unused(3) == hall.rooms.unused(3) == []
    assert reads.rooms == [name]
    assert hall.rooms.unused(0) == [name]
