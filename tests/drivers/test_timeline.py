"""Pages between two times, for items in any order of arrival (drivers/sql/timeline.py)."""

from __future__ import annotations

import random
from itertools import islice

import pytest

from drivers import ArchiveQuery, Driver
from drivers.archives import Conditions
from drivers.sql import timeline

OWNER = ("juliet", "capulet.example", "archive")
SHAPES = {  # how far, in seconds, the clock goes on from item to item
    "in order": (0, 400),
    "some at once": (0, 1),
    "jumping about": (-100_000, 100_000),
    "set back now and then": (-500, 700),
    "backwards": (-400, 0),
}


def append(driver: Driver, dice: random.Random, start: float, shape: str, count: int) -> float:
    for _ in range(count):
        start += dice.uniform(*SHAPES[shape])
        driver.archive_append(*OWNER, "<message/>", when=start, with_=dice.choice(("romeo@montague.example", "paris@verona.example")))
    return start


@pytest.mark.parametrize("shape", SHAPES)
def test_pages_are_those_of_a_search_item_by_item(driver: Driver, shape: str) -> None:
    dice = random.Random(shape)
    now = append(driver, dice, 1_700_000_000, shape, 150)
    for round_ in range(60):
        if round_ == 30:  # what comes later is seen too
            append(driver, dice, now, dice.choice(list(SHAPES)), 100)
        everything = list(driver.archive_find(*OWNER))
        times = sorted(dice.choice(everything).when + dice.choice((0, 0, 0.5, -0.5, 1000, -1000)) for _ in range(2))
        query = ArchiveQuery(
            start=dice.choice((None, times[0])),
            end=dice.choice((None, times[1])),
            with_=dice.choice((None, "romeo@montague.example")),
            limit=dice.choice((1, 5, 1000)),
            newest_first=dice.choice((True, False)),
        )
        fits = Conditions(query).fit
        ordered = reversed(everything) if query.newest_first else iter(everything)
        expected = list(islice((item for item in ordered if fits(item.id, item.when, item.with_)), query.limit))
        assert list(driver.archive_find(*OWNER, query)) == expected, query


def test_what_is_removed_is_not_missed(driver: Driver) -> None:
    append(driver, random.Random(1), 1_700_000_000, "in order", 20)
    query = ArchiveQuery(start=1_700_000_000, limit=3)
    items = list(driver.archive_find(*OWNER, query))
    driver.archive_delete(*OWNER, ArchiveQuery(ids=(items[0].id, items[1].id)))
    assert next(driver.archive_find(*OWNER, query)) == items[2]
    driver.purge("juliet", "capulet.example")
    assert list(driver.archive_find(*OWNER, query)) == []
    append(driver, random.Random(1), 1_600_000_000, "in order", 3)
    assert len(list(driver.archive_find(*OWNER, ArchiveQuery(end=1_650_000_000, limit=5)))) == 3


def test_only_so_many_archives_are_remembered(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "REMEMBERED", 2)
    for user in ("a", "b", "c", "a"):
        driver.archive_append(user, "capulet.example", "archive", "<message/>", when=5)
        assert list(driver.archive_find(user, "capulet.example", "archive", ArchiveQuery(start=5, limit=1)))
    assert len(driver._timeline._known) == 2  # type: ignore[attr-defined]
