"""An index is right after whatever anybody has done to the file, and to the index."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from drivers import Addition, ArchiveItem, ArchiveQuery, Driver
from drivers.files.format import Format
from tests.drivers.index.archives import PLACE, STANZA, all_right, append, expected, ids, rewrite


class Model:
    """An archive, and what should be in it, which anybody changes."""

    def __init__(self, driver: Driver, path: Path, form: Format, index: Path) -> None:
        self.driver, self.path, self.form, self.index = driver, path, form, index
        self.items: list[ArchiveItem] = []
        self.number = 0

    def new(self, some: random.Random, count: int) -> list[ArchiveItem]:
        made = []
        for _ in range(count):
            self.number += 1
            when = 1000 + self.number + some.choice([0, 0, 0, 0, -9, 0.5, 30])
            made.append(ArchiveItem(f"n{self.number}", int(when), f"r{some.randrange(4)}@x", STANZA))
        return made

    def add(self, some: random.Random) -> None:
        new = self.new(some, some.randrange(1, 14))
        assert self.driver.archive_extend_all([Addition(*PLACE, new, new=True)]) == [None]
        self.items += new

    def put(self, some: random.Random) -> None:
        new = self.new(some, some.randrange(1, 14))
        if self.items:
            new[0] = ArchiveItem(some.choice(self.items).id, new[0].when, "", STANZA)
        self.driver.archive_extend(*PLACE, new)
        self.items = [item for item in self.items if item.id not in {other.id for other in new}] + new

    def delete(self, some: random.Random) -> None:
        if not self.items:
            return
        query = some.choice(
            [
                ArchiveQuery(limit=some.randrange(1, 10)),
                ArchiveQuery(end=some.choice(self.items).when),
                ArchiveQuery(with_="r1@x", newest_first=True, limit=2),
                ArchiveQuery(ids=tuple(item.id for item in some.sample(self.items, min(5, len(self.items))))),
            ]
        )
        gone = expected(self.items, query)
        assert self.driver.archive_delete(*PLACE, query) == len(gone)
        self.items = [item for item in self.items if item.id not in gone]

    def others_append(self, some: random.Random) -> None:
        if self.path.exists():
            new = self.new(some, some.randrange(1, 12))
            append(self.path, self.form, new)
            self.items += new

    def others_rewrite(self, some: random.Random) -> None:
        self.items = [item for item in self.items if some.random() < 0.9] + self.new(some, 9)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        rewrite(self.path, self.form, self.items)

    def others_shift(self, some: random.Random) -> None:
        """Remove the eldest in place, and perhaps append more than that."""
        if self.path.exists():
            gone = some.randrange(len(self.items) + 1)
            self.items = self.items[gone:] + self.new(some, some.choice([0, 1, gone, gone + 5]))
            with self.path.open("r+b") as file:
                file.write(b"".join(self.form.archive_bytes(item, b"") for item in self.items))
                file.truncate()

    def index_ends_early(self, some: random.Random) -> None:
        if self.index.exists():
            os.truncate(self.index, some.randrange(self.index.stat().st_size + 1))

    def index_goes(self, some: random.Random) -> None:
        self.index.unlink(missing_ok=True)

    def index_is_behind(self, some: random.Random) -> None:
        """As after a crash between the changes of both."""
        if self.index.exists():
            before = self.index.read_bytes()
            some.choice([self.add, self.put, self.delete, self.others_rewrite, self.others_shift])(some)
            ids(self.driver)
            self.index.write_bytes(before)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_anybody_does(driver: Driver, path: Path, form: Format, index: Path, seed: int) -> None:
    some, model = random.Random(seed), Model(driver, path, form, index)  # only a choice of changes
    changes = [model.add, model.put, model.delete, model.others_append, model.others_rewrite, model.others_shift]
    damage = [model.index_ends_early, model.index_goes, model.index_is_behind]
    for _ in range(30):
        some.choice([*changes, *changes, *damage])(some)
        all_right(driver, model.items)
    assert model.number > 60
