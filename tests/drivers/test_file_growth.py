"""What file drivers read for a call does not grow with the length of the file: counted in reads, and in bytes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drivers import ArchiveItem, ArchiveQuery, Driver
from drivers.files.format import Format
from drivers.files.jsonformat import JSONFormat
from drivers.files.luaformat import LuaFormat
from tests.conftest import OpenDriver
from tests.drivers.contract_base import JULIET

SIZES = (1_000, 40_000)  # the second one fills two blocks of the index
FORMATS: dict[str, Format] = {"flatfile": LuaFormat(), "jsonfile": JSONFormat()}
ARCHIVE, LIST = (*JULIET, "archive"), (*JULIET, "wishlist")
STANZA = "<message><body>o</body></message>"


def fill(folder: Path, form: Format, size: int) -> None:
    record = form.archive_bytes(ArchiveItem("i0000000", 1_000_000_000, "r0@x", STANZA), b"")
    parts = {"archive": form.archive, "wishlist": form.list}
    for store, suffix in parts.items():
        path = folder / "capulet%2eexample" / store / f"juliet.{suffix}"
        path.parent.mkdir(parents=True)
        with path.open("wb") as file:
            for n in range(size):
                item = record.replace(b"i0000000", b"i%07d" % n).replace(b"1000000000", b"%d" % (10**9 + n)).replace(b"r0@x", b"r%d@x" % (n % 9))
                file.write(item if store == "archive" else form.item_bytes({"n": n, "wish": "a ring, and a rose"}))


class Reads:
    """Counts the reads, and their bytes, of files."""

    def __init__(self) -> None:
        self.calls = self.bytes = 0

    def __call__(self, descriptor: int, size: int, offset: int) -> bytes:
        data = _pread(descriptor, size, offset)
        self.calls += 1
        self.bytes += len(data)
        return data


_pread = os.pread


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    reads = Reads()
    monkeypatch.setattr(os, "pread", reads)
    return reads


@pytest.fixture(params=FORMATS)
def drivers(request: pytest.FixtureRequest, tmp_path: Path, open_driver: OpenDriver) -> dict[int, Driver]:
    """Storages with little and much, whose indexes are made."""
    found = {}
    for size in SIZES:
        fill(tmp_path / str(size), FORMATS[request.param], size)
        found[size] = open_driver(f"{request.param}:{size}", tmp_path)
        assert found[size].archive_count(*ARCHIVE) == len(found[size].list_load(*LIST, 1) or ()) + 1 == size
    return found


def find(**query: Any) -> Callable[[Driver, int], object]:
    def work(driver: Driver, size: int) -> object:
        found = {name: value(size) if callable(value) else value for name, value in query.items()}
        return list(driver.archive_find(*ARCHIVE, ArchiveQuery(limit=20, **found)))

    return work


def time(size: int) -> float:
    return 10**9 + size // 3


def middle(size: int) -> str:
    return f"i{size // 2:07}"


CALLS: dict[str, Callable[[Driver, int], object]] = {
    "the last page": find(newest_first=True),
    "the first page": find(),
    "from a time on": find(start=time),
    "up to a time": find(end=time, newest_first=True),
    "after an item": find(after=middle),
    "before an item": find(before=middle, newest_first=True),
    "with a partner": find(with_="r3@x", newest_first=True),
    "with nobody": find(with_="nobody@x"),
    "the count": lambda driver, size: driver.archive_count(*ARCHIVE),
    "the count of a time": lambda driver, size: driver.archive_count(*ARCHIVE, ArchiveQuery(start=time(size))),
    "a count that ends": lambda driver, size: driver.archive_count_within(*ARCHIVE, ArchiveQuery(with_="r2@x"), most=20),
    "append": lambda driver, size: driver.archive_append(*ARCHIVE, STANZA, when=2e9),
    "append with an id": lambda driver, size: driver.archive_append(*ARCHIVE, STANZA, when=2e9, key=f"new{size}"),
    "the first items": lambda driver, size: driver.list_load(*LIST, 0, 10),
    "some items": lambda driver, size: driver.list_load(*LIST, size // 2, size // 2 + 10),
    "the last items": lambda driver, size: driver.list_load(*LIST, size - 10, size),
}


def test_a_long_file_costs_what_a_short_one_does(drivers: dict[int, Driver], reads: Reads) -> None:
    found = {}
    for name, call in CALLS.items():
        costs = []
        for size, driver in drivers.items():
            reads.calls = reads.bytes = 0
            assert call(driver, size) is not None
            costs.append((reads.calls, reads.bytes))
        found[name] = costs
    # for an id or a partner, up to a block of rows is read: 655,360 bytes, at most 512 rows at once
    wrong = {name: (few, many) for name, (few, many) in found.items() if many[0] > 3 * few[0] + 32 or many[1] > 3 * few[1] + 655_360}
    assert not wrong
    assert found["the last page"][1][1] < 3 * found["the last page"][0][1]
    assert found["the count"][1] == found["the count"][0]
