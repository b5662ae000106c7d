"""Indexes that several processes bring up to date at the same time, some of which are killed."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable
from pathlib import Path

from drivers import Addition, ArchiveItem, ArchiveQuery, Driver
from tests.drivers.contract_writers import in_child, silent_fork
from tests.drivers.index.archives import PLACE, STANZA, ids

COUNT = 40


def forked(work: Callable[[], object]) -> int:
    with silent_fork() as child:
        if child == 0:
            in_child(work)
    return child


def put(driver: Driver, name: str, numbers: itertools.count[int] | range) -> None:
    """Items with ids of our own, every fourth of them again."""
    for n in numbers:
        for key in (f"{name}{n}", f"{name}{n - n % 4}"):
            driver.archive_append(*PLACE, STANZA, when=n, with_=f"{name}@x", key=key)


def add(driver: Driver, name: str) -> None:
    for n in range(COUNT):
        items = [ArchiveItem(f"{name}{n}", n, f"{name}@x", STANZA)]
        assert driver.archive_extend_all([Addition(*PLACE, items, new=True)]) == [None]


def remove(driver: Driver) -> None:
    removed = 0
    while removed < COUNT:
        removed += driver.archive_delete(*PLACE, ArchiveQuery(with_="new@x", limit=3))


def test_all_that_was_written_is_found(driver: Driver, index: Path) -> None:
    killed = [forked(lambda name=name: put(driver, name, itertools.count())) for name in ("k", "l")]  # type: ignore[misc]
    children = [
        forked(lambda: put(driver, "own", range(COUNT))),
        forked(lambda: add(driver, "new")),
        forked(lambda: add(driver, "other")),
        forked(lambda: remove(driver)),
    ]
    for n in itertools.count():
        found = ids(driver, with_="other@x")
        assert found == [f"other{i}" for i in range(len(found))]
        (newest,) = ids(driver, limit=1, with_="other@x", newest_first=True) or ["other-1"]
        assert int(newest.removeprefix("other")) >= len(found) - 1
        if n == 3:
            for child in killed:
                os.kill(child, signal.SIGKILL)
        if len(found) == COUNT:
            break
    for child in children:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for child in killed:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert ids(driver, with_="new@x") == []
    assert sorted(ids(driver, with_="own@x")) == sorted(f"own{n}" for n in range(COUNT))
    everything = list(driver.archive_find(*PLACE))
    pages, last = [], None
    while page := ids(driver, limit=7, after=last):
        pages += page
        last = page[-1]
    assert pages == [item.id for item in everything]
    assert len(set(pages)) == len(pages) == driver.archive_count(*PLACE)
    index.unlink()
    assert list(driver.archive_find(*PLACE)) == everything
