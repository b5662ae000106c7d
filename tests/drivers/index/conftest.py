"""Fixtures of the tests of indexes."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers import Addition, ArchiveItem, Driver
from drivers.files import durable
from drivers.files.format import Format
from drivers.files.jsonformat import JSONFormat
from drivers.files.luaformat import LuaFormat
from tests.conftest import OpenDriver
from tests.drivers.index.archives import PLACE, all_right, items_of, make_blocks_small

FORMATS: dict[str, Format] = {"flatfile": LuaFormat(), "jsonfile": JSONFormat()}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    make_blocks_small(monkeypatch)


@pytest.fixture(params=FORMATS)
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def form(scheme: str) -> Format:
    return FORMATS[scheme]


@pytest.fixture
def driver(scheme: str, tmp_path: Path, open_driver: OpenDriver, monkeypatch: pytest.MonkeyPatch) -> Driver:
    monkeypatch.setattr(durable.os, "fsync", int)  # type: ignore[attr-defined]  # a disk that is synced is not tested here
    return open_driver(f"{scheme}:data", tmp_path)


@pytest.fixture
def path(tmp_path: Path, form: Format) -> Path:
    return tmp_path / "data/capulet%2eexample/archive" / f"juliet.{form.archive}"


@pytest.fixture
def index(tmp_path: Path, form: Format) -> Path:
    return tmp_path / "data/.index/capulet%2eexample/archive" / f"juliet.{form.archive}.heads"


@pytest.fixture
def filled(driver: Driver, path: Path) -> list[ArchiveItem]:
    items = items_of(range(30))
    assert driver.archive_extend_all([Addition(*PLACE, items, new=True)]) == [None]
    all_right(driver, items)
    return items
