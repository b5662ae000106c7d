"""Archives as they are and as they should be."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from drivers import ArchiveItem, ArchiveQuery, Driver
from drivers.archives import Conditions
from drivers.files import archive, indexes, indexfile, indexrows, itemrows, rewriting
from drivers.files.format import Format
from tests.drivers.contract_base import JULIET

STANZA = "<message><body>o happy dagger</body></message>"
PLACE = (*JULIET, "archive")


def make_blocks_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 8 rows, also of the smallest files."""
    for module in (indexfile, indexes, archive, itemrows):
        monkeypatch.setattr(module, "BLOCK", 8)
    monkeypatch.setattr(indexfile, "_POSITION", 7)
    monkeypatch.setattr(itemrows, "CHUNK", 3)
    monkeypatch.setattr(indexrows, "BATCH", 2)
    monkeypatch.setattr(rewriting, "CHUNK", 5)
    monkeypatch.setattr(rewriting, "SMALL", 0)
    monkeypatch.setattr(indexes, "SMALL", 0)
    monkeypatch.setattr(indexes, "COMPARED", 4)
    monkeypatch.setattr(archive, "MANY", 3)


def items_of(numbers: Sequence[int], prefix: str = "i") -> list[ArchiveItem]:
    return [ArchiveItem(f"{prefix}{n}", 1000 + n, f"r{n % 5}@x", STANZA) for n in numbers]


def expected(items: list[ArchiveItem], query: ArchiveQuery) -> list[str]:
    ids = [item.id for item in items]
    start = 0 if query.after is None else ids.index(query.after) + 1
    stop = len(ids) if query.before is None else ids.index(query.before)
    conditions = Conditions(query)
    found = [item.id for item in items[start : max(start, stop)] if conditions.fit(item.id, item.when, item.with_)]
    return (found[::-1] if query.newest_first else found)[: query.limit]


def ids(driver: Driver, **query: Any) -> list[str]:
    return [item.id for item in driver.archive_find(*PLACE, ArchiveQuery(**query))]


def all_right(driver: Driver, items: list[ArchiveItem]) -> None:
    """Whether queries of all sorts find what is in the archive."""
    assert list(driver.archive_find(*PLACE)) == items
    assert driver.archive_count(*PLACE) == len(items)
    for item in items:
        assert ids(driver, ids=(item.id,)) == [item.id]
    some = random.Random(len(items))  # only a choice of queries
    for _ in range(12 if items else 0):
        at = some.choice(items)
        query = ArchiveQuery(
            start=some.choice([None, at.when, at.when - 2]),
            end=some.choice([None, at.when, at.when + 7]),
            with_=some.choice([None, None, at.with_, "nobody@x"]),
            after=some.choice([None, None, some.choice(items).id]),
            before=some.choice([None, None, some.choice(items).id]),
            ids=some.choice([None, None, None, tuple(item.id for item in items[::3])]),
            newest_first=some.choice([True, False]),
        )
        assert [item.id for item in driver.archive_find(*PLACE, query)] == expected(items, query), query
        assert driver.archive_count(*PLACE, query) == len(expected(items, query))
        assert driver.archive_count_within(*PLACE, query, most=3) == min(3, len(expected(items, query)))


def append(path: Path, form: Format, items: list[ArchiveItem]) -> None:
    """As another program does."""
    with path.open("ab") as file:
        file.write(b"".join(form.archive_bytes(item, b"") for item in items))


def rewrite(path: Path, form: Format, items: list[ArchiveItem]) -> None:
    """As another program does: a new file in the place of the old one."""
    new = path.with_name("new~")
    new.write_bytes(b"".join(form.archive_bytes(item, b"") for item in items))
    os.replace(new, path)
