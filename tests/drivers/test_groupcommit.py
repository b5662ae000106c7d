"""Group commit: threads share commits, but not failures."""

from __future__ import annotations

import contextvars
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drivers import BadValue, Driver, StorageError, Write
from drivers.sql.groupcommit import MOST, GroupCommit, GroupedChange
from tests.conftest import OpenDriver
from tests.many import in_threads
from tests.raising import raising


@pytest.fixture
def driver(tmp_path: Path, open_driver: OpenDriver) -> Driver:
    driver = open_driver("sqlite:group.sqlite", tmp_path)
    driver.store("juliet", "capulet.example", "warm", {"up": 1})
    return driver


def test_every_write_of_many_threads_is_there(driver: Driver, tmp_path: Path, open_driver: OpenDriver) -> None:
    def work(n: int) -> None:
        for i in range(20):
            driver.list_append(f"user{n}", "capulet.example", "list", i)

    in_threads(work, range(16))
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

    in_threads(work, range(30))
    assert sorted(failed) == list(range(0, 30, 3))
    for n in range(30):
        assert driver.load(f"user{n}", "capulet.example", "store") == (None if n % 3 == 0 else {"n": n})


def test_no_increment_is_lost(driver: Driver) -> None:
    def work(_: int) -> None:
        for _ in range(25):
            driver.update("juliet", "capulet.example", "count", lambda t: {"n": (t or {"n": 0})["n"] + 1})  # type: ignore[call-overload]

    in_threads(work, range(8))
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
    def transact(take: Any) -> None:
        changes = take()
        for change in changes:
            change.fail(sqlite3.OperationalError("disk full"))

    group = GroupCommit(transact, 1)
    for _ in range(2):
        with pytest.raises(sqlite3.OperationalError, match="disk full"):
            group.run(lambda _: None)


def test_patience_ends() -> None:
    held, release = threading.Event(), threading.Event()

    def transact(take: Any) -> None:
        take()
        held.set()
        release.wait(30)

    group = GroupCommit(transact, 0.05)
    first = threading.Thread(target=group.run, args=(lambda _: None,))
    first.start()
    held.wait(30)
    with pytest.raises(StorageError, match="other threads"):
        group.run(lambda _: None)
    release.set()
    first.join()


class Held:
    """A group whose turn is taken by a thread, until `release`."""

    def __init__(self, patience: float = 30) -> None:
        self.database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self.release, held = threading.Event(), threading.Event()
        batches: list[int] = []

        def transact(take: Any) -> None:
            changes = take()
            batches.append(len(changes))
            if len(batches) == 1:
                held.set()
                self.release.wait(30)
            try:
                self.database.execute("BEGIN")
                for change in changes:
                    change.run(self.database)
                self.database.execute("COMMIT")
            except BaseException as e:
                self.database.execute("ROLLBACK")
                for change in changes:
                    change.fail(e)

        self.group = GroupCommit(transact, patience)
        self.first = threading.Thread(target=self.group.run, args=(lambda _: None,))
        self.first.start()
        held.wait(30)

    def queue(self, works: list[Callable[[Any], Any]]) -> tuple[list[threading.Thread], list[Any]]:
        """Threads that wait for the turn, and what becomes of their works."""
        outcomes: list[Any] = [None] * len(works)

        def run(n: int) -> None:
            try:
                outcomes[n] = self.group.run(works[n])
            except BaseException as e:
                outcomes[n] = e

        threads = [threading.Thread(target=run, args=(n,)) for n in range(len(works))]
        for n, thread in enumerate(threads):
            thread.start()
            while len(self.group._waiting) < n + 1:
                time.sleep(0.0005)
        return threads, outcomes

    def finish(self, threads: list[threading.Thread]) -> None:
        self.release.set()
        for thread in [self.first, *threads]:
            thread.join(30)
            assert not thread.is_alive()
        self.database.close()


def test_more_threads_than_one_transaction_takes() -> None:
    batches: list[int] = []

    def transact(take: Any) -> None:
        changes = take()
        batches.append(len(changes))
        for change in changes:
            change.run_alone(None)

    group = GroupCommit(transact, 1)
    group._waiting += [GroupedChange(lambda _: None) for _ in range(MOST)]
    assert group.run(lambda _: "done") == "done"
    assert batches == [MOST, 1]


def test_a_change_has_the_context_of_the_thread_that_asked_for_it() -> None:
    name = contextvars.ContextVar("name", default="nobody")
    held, seen = Held(), {}

    def work(n: int) -> None:
        name.set(f"thread {n}")
        seen[n] = held.group.run(lambda _: name.get())

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    while len(held.group._waiting) < 8:
        time.sleep(0.0005)
    held.finish(threads)
    assert seen == {n: f"thread {n}" for n in range(8)}


def test_whatever_a_change_raises_is_its_own() -> None:
    held = Held()
    held.database.execute("CREATE TABLE t (n)")
    threads, outcomes = held.queue([lambda d: d.execute("INSERT INTO t VALUES (1)").rowcount, raising(KeyboardInterrupt)] * 3)
    held.release.set()
    for thread in threads:
        thread.join(30)
    assert held.database.execute("SELECT COUNT(*) FROM t").fetchone() == (3,)
    held.finish(threads)
    assert outcomes[::2] == [1, 1, 1]
    assert all(isinstance(outcome, KeyboardInterrupt) for outcome in outcomes[1::2])


def test_an_interruption_is_raised_by_the_thread_that_is_interrupted() -> None:
    """Python delivers Ctrl-C to the main thread, which may be in the middle of another one's change then."""
    database = sqlite3.connect(":memory:", isolation_level=None)
    database.execute("CREATE TABLE t (n)")

    def transact(take: Any) -> None:
        changes = take()
        database.execute("BEGIN")
        try:
            for change in changes:
                change.run(database)
        except BaseException as e:
            database.execute("ROLLBACK")
            for change in changes:
                change.fail(e)

    def interrupted(_: Any) -> None:
        raise KeyboardInterrupt

    others: list[GroupedChange[Any]] = []
    thread = threading.Thread(
        target=lambda: others.extend([GroupedChange(lambda d: d.execute("INSERT INTO t VALUES (1)")), GroupedChange(interrupted)])
    )
    thread.start()
    thread.join()
    group = GroupCommit(transact, 1)
    group._waiting += others
    with pytest.raises(KeyboardInterrupt):
        group.run(lambda d: d.execute("INSERT INTO t VALUES (2)"))
    assert database.execute("SELECT COUNT(*) FROM t").fetchone() == (0,)
    for change in others:
        with pytest.raises(StorageError, match="interrupted"):
            change.result()
    database.close()


def test_a_change_that_is_being_written_is_not_given_up() -> None:
    """Its thread would report a failure, and it would be there all the same."""
    held = Held(patience=0.5)
    started = threading.Event()
    outcomes: list[Any] = []

    def slow(_: Any) -> str:
        started.set()
        time.sleep(0.7)
        return "slow"

    def run(work: Callable[[Any], str]) -> None:
        outcomes.append(held.group.run(work))

    threads = [threading.Thread(target=run, args=(work,)) for work in (slow, lambda _: "quick")]
    for n, thread in enumerate(threads, 1):
        thread.start()
        while len(held.group._waiting) < n:
            time.sleep(0.0005)
    held.finish(threads)
    assert sorted(outcomes) == ["quick", "slow"]


def test_what_comes_while_another_process_writes_is_in_the_same_transaction(driver: Driver, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "group.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    place, asked = ("juliet", "capulet.example", "list"), threading.Event()
    errors: list[Exception | None] = []

    def more() -> list[Write]:
        asked.set()
        return [Write(*place, 2, appends=True), Write(*place, object(), appends=True), Write(*place, 3, appends=True)]

    thread = threading.Thread(target=lambda: errors.extend(driver.write_all([Write(*place, 1, appends=True)], more)))
    thread.start()
    assert not asked.wait(0.1), "before it can write, it is too early to ask"
    other.execute("ROLLBACK")
    thread.join(30)
    other.close()
    assert [type(error) for error in errors] == [type(None), type(None), BadValue, type(None)]
    assert driver.list_load(*place) == [1, 2, 3]


def test_a_change_that_fails_leaves_the_others_of_its_transaction(driver: Driver, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "group.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    def change(n: int) -> Callable[[Any], Any]:
        return raising(KeyError) if n % 4 == 3 else lambda table: {"n": (table or {"n": 0})["n"] + 1}

    outcomes: list[BaseException | None] = [None] * 12

    def work(n: int) -> None:
        try:
            driver.update("juliet", "capulet.example", "count", change(n))
        except KeyError as e:
            outcomes[n] = e

    threads = [threading.Thread(target=work, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    group = driver._engine._group()  # type: ignore[attr-defined]
    while len(group._waiting) < 12:
        time.sleep(0.0005)
    other.execute("ROLLBACK")
    for thread in threads:
        thread.join(30)
    other.close()
    assert [isinstance(outcome, KeyError) for outcome in outcomes] == [n % 4 == 3 for n in range(12)]
    assert driver.load("juliet", "capulet.example", "count") == {"n": 9}
