"""Do threads share commits without sharing each other's failures?"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drivers import Driver, StorageError, open_driver
from drivers.sql.groupcommit import GroupCommit


@pytest.fixture
def driver(tmp_path: Path) -> Driver:
    driver = open_driver("sqlite:group.sqlite", tmp_path)
    driver.store("juliet", "capulet.example", "warm", {"up": 1})
    return driver


def together(works: list[Callable[[], Any]]) -> None:
    barrier = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> None:
        barrier.wait()
        work()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def test_every_write_of_many_threads_is_there(driver: Driver, tmp_path: Path) -> None:
    def work(n: int) -> None:
        for i in range(20):
            driver.list_append(f"user{n}", "capulet.example", "list", i)

    together([lambda n=n: work(n) for n in range(16)])  # type: ignore[misc]
    other = open_driver("sqlite:group.sqlite", tmp_path)
    assert all(other.list_load(f"user{n}", "capulet.example", "list") == list(range(20)) for n in range(16))


def test_one_that_fails_fails_alone(driver: Driver) -> None:
    failed: list[int] = []

    def work(n: int) -> None:
        def change(_: Any) -> dict[str, int]:
            if n % 3 == 0:
                raise KeyError(n)
            return {"n": n}

        try:
            driver.update(f"user{n}", "capulet.example", "store", change)
        except KeyError as e:
            failed.extend(e.args)

    together([lambda n=n: work(n) for n in range(30)])  # type: ignore[misc]
    assert sorted(failed) == list(range(0, 30, 3))
    for n in range(30):
        assert driver.load(f"user{n}", "capulet.example", "store") == (None if n % 3 == 0 else {"n": n})


def test_no_increment_is_lost(driver: Driver) -> None:
    def work() -> None:
        for _ in range(25):
            driver.update("juliet", "capulet.example", "count", lambda t: {"n": (t or {"n": 0})["n"] + 1})  # type: ignore[call-overload]

    together([work] * 8)
    assert driver.load("juliet", "capulet.example", "count") == {"n": 200}


def test_an_update_must_not_write(driver: Driver) -> None:
    def change(_: Any) -> dict[str, int]:
        driver.store("juliet", "capulet.example", "other", {"x": 1})
        return {"x": 1}

    with pytest.raises(StorageError, match="must not write"):
        driver.update("juliet", "capulet.example", "store", change)
    assert driver.load("juliet", "capulet.example", "other") is None
    driver.store("juliet", "capulet.example", "other", {"x": 2})


def test_a_commit_that_fails_fails_for_all() -> None:
    def transact(changes: Any) -> None:
        for change in changes:
            change.fail(sqlite3.OperationalError("disk full"))

    group = GroupCommit(transact, 1)
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match="disk full"):
            group.run(lambda _: None)


def test_patience_ends() -> None:
    held, release = threading.Event(), threading.Event()

    def transact(_: Any) -> None:
        held.set()
        release.wait(10)

    group = GroupCommit(transact, 0.05)
    first = threading.Thread(target=group.run, args=(lambda _: None,))
    first.start()
    held.wait(5)
    with pytest.raises(StorageError, match="other threads"):
        group.run(lambda _: None)
    release.set()
    first.join()
