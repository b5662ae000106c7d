"""Storages tell of their commits, and of what fails."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers import BadValue, StorageError
from drivers.observed import READ, WRITE
from tests.conftest import OpenDriver

JULIET = ("juliet", "capulet.example")


class Observed:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.commits: list[float] = []
        self.storage_failed = self.failures.append
        self.committed = self.commits.append


def no_table(folder: Path) -> None:
    with sqlite3.connect(folder / "store") as connection:
        connection.execute("DROP TABLE prosody")
    connection.close()


def a_folder_in_its_place(folder: Path) -> None:
    next(folder.glob("store/*/x/juliet.*")).unlink()
    (folder / "store" / "capulet%2eexample" / "x" / "juliet.dat").mkdir()
    (folder / "store" / "capulet%2eexample" / "x" / "juliet.json").mkdir()


@pytest.mark.parametrize(
    ("url", "spoil"), [("sqlite:store", no_table), ("flatfile:store", a_folder_in_its_place), ("jsonfile:store", a_folder_in_its_place)]
)
def test_commits_and_failures_are_told(open_driver: OpenDriver, tmp_path: Path, url: str, spoil: Callable[[Path], None]) -> None:
    driver, observed = open_driver(url, tmp_path), Observed()
    driver.observed_by(observed)
    driver.store(*JULIET, "x", {"y": "z"})
    assert driver.load(*JULIET, "x") == {"y": "z"}
    assert (len(observed.commits), observed.failures) == (1, [])
    assert 0 < observed.commits[0] < 10
    with pytest.raises(BadValue):
        driver.store(*JULIET, "x", {"y": {1: object()}})
    assert observed.failures == []
    spoil(tmp_path)
    with pytest.raises(StorageError):
        driver.load(*JULIET, "x")
    assert observed.failures == [READ]
    with pytest.raises(StorageError):
        driver.store(*JULIET, "x", {"y": "w"})
    assert observed.failures == [READ, WRITE]
    assert len(observed.commits) == 1
