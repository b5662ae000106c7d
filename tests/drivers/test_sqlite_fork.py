"""A fork of a process with an open database loses nothing, in parent and child."""

from __future__ import annotations

import gc
import os
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

from drivers import Driver
from tests.conftest import OpenDriver
from tests.drivers.contract_base import JULIET

MEMBERS = {f"key{n}": "x" * 500 for n in range(50)}


def forked(work: Callable[[], None]) -> int:
    """Run something in a child; its process id."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return child


def test_the_parent_may_close_while_the_child_writes(driver: Driver, tmp_path: Path, open_driver: OpenDriver) -> None:
    driver.store(*JULIET, "parent", MEMBERS)
    told, tell = os.pipe()
    wrote, write = os.pipe()

    def child() -> None:
        driver.store(*JULIET, "before", MEMBERS)
        os.write(write, b"1")
        os.read(told, 1)
        driver.store(*JULIET, "after", MEMBERS)
        os.write(write, b"2")
        os.read(told, 1)

    pid = forked(child)
    os.close(write)  # so that reading ends if the child does
    assert os.read(wrote, 1) == b"1"
    # the last connection of the parent: SQLite would take the log away if it believed itself alone
    driver.close()
    os.write(tell, b"1")
    assert os.read(wrote, 1) == b"2"
    other = open_driver("sqlite:x.sqlite", tmp_path)
    assert {store for store, _ in other.stores(*JULIET)} == {"parent", "before", "after"}
    other.store(*JULIET, "other", MEMBERS)
    os.write(tell, b"2")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert {store for store, _ in other.stores(*JULIET)} == {"parent", "before", "after", "other"}
    other.close()
    for descriptor in (told, tell, wrote):
        os.close(descriptor)


def test_a_child_that_ends_in_the_ordinary_way_disturbs_nobody(driver: Driver, tmp_path: Path, open_driver: OpenDriver) -> None:
    driver.store(*JULIET, "parent", MEMBERS)

    def child() -> None:
        driver.store(*JULIET, "child", MEMBERS)
        driver.close()

    for _ in range(3):
        assert os.waitstatus_to_exitcode(os.waitpid(forked(child), 0)[1]) == 0
        driver.store(*JULIET, "parent", None)
        driver.store(*JULIET, "parent", MEMBERS)
    driver.close()
    other = open_driver("sqlite:x.sqlite", tmp_path)
    assert other.load(*JULIET, "parent") == other.load(*JULIET, "child") == MEMBERS
    other.close()


def test_forks_in_the_middle_of_writes_lose_nothing(driver: Driver, tmp_path: Path, open_driver: OpenDriver) -> None:
    done = threading.Event()
    written = [0] * 4

    def write(number: int) -> None:
        while not done.is_set():
            driver.list_append(*JULIET, "parent", number)
            written[number] += 1

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()

    def child() -> None:
        for _ in range(5):
            driver.list_append(*JULIET, "children", 1)

    children = [forked(child) for _ in range(8)]
    statuses = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    done.set()
    for thread in threads:
        thread.join()
    driver.close()
    other = open_driver("sqlite:x.sqlite", tmp_path)
    assert statuses == [0] * 8
    assert len(other.list_load(*JULIET, "children") or []) == 40
    items = other.list_load(*JULIET, "parent") or []
    assert [items.count(number) for number in range(4)] == written
    other.close()


def test_a_fork_behind_a_storage_that_is_gone(tmp_path: Path, open_driver: OpenDriver) -> None:
    open_driver("sqlite:gone.sqlite", tmp_path).check()
    gc.collect()
    assert os.waitstatus_to_exitcode(os.waitpid(forked(lambda: None), 0)[1]) == 0


def test_a_fork_within_an_update(driver: Driver) -> None:
    def change(table: object) -> dict[str, int]:
        return {"child": os.waitstatus_to_exitcode(os.waitpid(forked(lambda: None), 0)[1])}

    driver.update(*JULIET, "settings", change)
    assert driver.load(*JULIET, "settings") == {"child": 0}
