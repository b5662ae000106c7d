"""Removal of much from an SQLite storage, in parts (drivers/sql/removal.py)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from drivers import ArchiveItem, Driver, StorageError
from drivers.sql import archive, removal
from drivers.sql.session import DatabaseSession
from tests.conftest import OpenDriver
from tests.drivers.contract_base import JULIET

MUCH = 5 * removal.PART


@pytest.fixture
def driver(open_driver: OpenDriver, tmp_path: Path) -> Driver:
    driver = open_driver("sqlite:x.sqlite", tmp_path)
    driver.store(*JULIET, "accounts", {"password": "x"})
    driver.archive_extend(*JULIET, "archive", [ArchiveItem(f"{i}", i, "", "<message/>") for i in range(MUCH)])
    driver.list_store(*JULIET, "wishlist", range(MUCH))
    return driver


class Parts:
    """Records the sizes of parts, and does something before one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int, before: Callable[[], object]) -> None:
        self.sizes: list[int] = []
        self._number, self._before = number, before
        monkeypatch.setattr(archive, "delete", self._delete)

    def _delete(self, session: DatabaseSession, ids: Sequence[int], _delete: Any = archive.delete) -> int:
        self.sizes.append(len(ids))
        if len(self.sizes) == self._number:
            self._before()
        return int(_delete(session, ids))


def fail() -> None:
    raise StorageError("the disk is full")


def test_an_account_whose_removal_fails_halfway_is_still_there(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        Parts(patch, 3, fail)
        with pytest.raises(StorageError, match="full"):
            driver.purge(*JULIET)
    assert driver.load(*JULIET, "accounts") == {"password": "x"}
    assert driver.archive_count(*JULIET, "archive") == MUCH - 2 * removal.PART
    driver.purge(*JULIET)
    assert list(driver.stores(*JULIET)) == []
    assert driver.archive_count(*JULIET, "archive") == 0


def test_others_write_between_the_parts(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    wrote: list[int] = []
    begun = threading.Event()

    def write() -> None:
        begun.wait(30)
        driver.store("romeo", JULIET[1], "settings", {"a": 1})
        wrote.append(len(parts.sizes))

    parts = Parts(monkeypatch, 1, begun.set)
    thread = threading.Thread(target=write)
    thread.start()
    driver.purge(*JULIET)
    thread.join(30)
    assert max(parts.sizes) <= removal.PART
    assert wrote[0] <= MUCH // removal.PART


def test_what_comes_meanwhile_is_kept_but_by_a_purge(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    from drivers.sql.driver import SQLDriver

    assert isinstance(driver, SQLDriver)
    read = driver._engine.read

    def append_and_read(work: Callable[[DatabaseSession], Any]) -> Any:
        driver.archive_append(*JULIET, "archive", "<message/>", when=1, key="new")
        return read(work)

    with monkeypatch.context() as patch:
        patch.setattr(driver._engine, "read", append_and_read)
        assert driver.archive_delete(*JULIET, "archive") == MUCH
    assert driver.archive_count(*JULIET, "archive") == 1
    driver.purge(*JULIET)
    assert driver.archive_count(*JULIET, "archive") == 0


def test_a_list_is_removed_from_its_end(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(removal, "time", None)  # after the first part
        with pytest.raises(AttributeError):
            driver.list_store(*JULIET, "wishlist", ())
    assert driver.list_load(*JULIET, "wishlist") == list(range(MUCH - removal.PART))
    driver.list_store(*JULIET, "wishlist", ())
    assert driver.list_load(*JULIET, "wishlist") is None
