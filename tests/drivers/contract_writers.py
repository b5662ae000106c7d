"""Contract: concurrent writers, and writers that die during a write, lose nothing."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from operator import call
from pathlib import Path
from typing import Any

from drivers import Driver, open_driver
from tests.drivers.contract_base import JULIET, StorageFixtures
from tests.many import in_threads

ROOT = Path(__file__).parents[2]
WRITER = Path(__file__).parent / "writer.py"
TIMEOUT = 60.0


class Writers:
    """Processes that write to the storage."""

    def __init__(self, url: str, base: Path) -> None:
        self.url, self.base = url, base
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.acknowledged: dict[str, int] = defaultdict(int)

    def start(self, role: str, name: str, count: int) -> None:
        command = [sys.executable, str(WRITER), self.url, str(self.base), role, name, str(count)]
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        environment = os.environ | {"PYTHONPATH": path}
        self.running[name] = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, bufsize=0)

    def wait_for_the_first_write(self) -> None:
        for name, process in self.running.items():
            assert process.stdout is not None
            assert process.stdout.readline() == b"0\n"
            self.acknowledged[name] += 1

    def end(self, name: str, *, kill: bool) -> None:
        process = self.running.pop(name)
        if kill:
            process.send_signal(signal.SIGKILL)
        output, errors = process.communicate(timeout=TIMEOUT)
        self.acknowledged[name] += output.count(b"\n")
        assert kill or process.returncode == 0, errors.decode()


@contextlib.contextmanager
def writers(url: str, base: Path) -> Iterator[Writers]:
    group = Writers(url, base)
    try:
        yield group
    finally:
        for name in list(group.running):
            group.end(name, kill=True)


class WritersContract(StorageFixtures):
    def test_threads_lose_no_update(self, driver: Driver) -> None:
        def work() -> None:
            for _ in range(20):
                driver.update(*JULIET, "counter", lambda table: {"count": (table or {"count": 0})["count"] + 1})  # type: ignore[call-overload]
                driver.list_append(*JULIET, "list", 1)
                driver.archive_append(*JULIET, "archive", "<message/>", when=1)

        in_threads(call, [work] * 8)
        assert driver.load(*JULIET, "counter") == {"count": 160}
        assert driver.list_load(*JULIET, "list") == [1] * 160
        assert driver.archive_count(*JULIET, "archive") == 160

    def test_readers_never_see_half_a_table(self, driver: Driver) -> None:
        done = threading.Event()
        halves: list[Any] = []

        def write() -> None:
            for i in range(60):
                driver.store(*JULIET, "settings", {"a": i, "b": {"c": i}, "d": str(i), "__array": [i]})
            done.set()

        def read() -> None:
            while not done.is_set():
                table: Any = driver.load(*JULIET, "settings")
                if table is not None and len({table["a"], table["b"]["c"], int(table["d"]), table["__array"][0]}) > 1:
                    halves.append(table)

        in_threads(call, [write, read, read])
        assert halves == []

    def test_processes_lose_no_update(self, url: str, tmp_path: Path, driver: Driver) -> None:
        with writers(url, tmp_path) as group:
            for name in "abc":
                group.start("update", name, 50)
            for name in "abc":
                group.end(name, kill=False)
        table: Any = driver.load(*JULIET, "counter")
        assert (table["count"], table["a"], table["b"], table["c"]) == (150, 49, 49, 49)

    def test_nothing_acknowledged_is_lost_by_a_kill(self, url: str, tmp_path: Path, driver: Driver) -> None:
        chance = random.Random(0)
        names = {"update": ["u1", "u2"], "append": ["l1", "l2"], "archive": ["a1"], "store": ["s1"]}
        total: dict[str, int] = defaultdict(int)
        for _ in range(3):
            with writers(url, tmp_path) as group:
                for role, group_names in names.items():
                    for name in group_names:
                        group.start(role, name, 100_000)
                group.wait_for_the_first_write()
                time.sleep(chance.uniform(0.05, 0.3))
                for name in list(group.running):
                    group.end(name, kill=True)
            self._check_settings(driver, group)
            for name, count in group.acknowledged.items():
                total[name] += count
        self._check_counter(driver, total)
        self._check_list(driver, total)
        driver.list_append(*JULIET, "list", "after the crash")
        assert driver.list_load(*JULIET, "list")[-1] == "after the crash"  # type: ignore[index]

    def _check_settings(self, driver: Driver, group: Writers) -> None:
        table: Any = driver.load("s1", "capulet.example", "settings")
        # one more may have reached the disk than could be told
        assert table["i"] == table["again"]
        assert table["i"] + 1 - group.acknowledged["s1"] in (0, 1)
        found = [item.id for item in driver.archive_find(*JULIET, "archive")]
        assert len(set(found)) == len(found)
        assert set(found) >= {f"a1-{i}" for i in range(group.acknowledged["a1"])}

    def _check_counter(self, driver: Driver, total: dict[str, int]) -> None:
        table: Any = driver.load(*JULIET, "counter")
        sure = total["u1"] + total["u2"]
        assert sure <= table["count"] <= sure + 2 * 3

    def _check_list(self, driver: Driver, total: dict[str, int]) -> None:
        items: Any = driver.list_load(*JULIET, "list")
        for name in ("l1", "l2"):
            numbers = [item["i"] for item in items if item["by"] == name]
            assert total[name] <= len(numbers) <= total[name] + 3
            starts = [i for i, number in enumerate(numbers) if number == 0] + [len(numbers)]
            for start, end in itertools.pairwise(starts):
                assert numbers[start:end] == list(range(end - start))

    def test_a_driver_survives_a_fork(self, driver: Driver) -> None:
        driver.store(*JULIET, "settings", {"by": "parent"})
        with silent_fork() as child:
            if child == 0:
                in_child(lambda: driver.update(*JULIET, "settings", lambda table: {"by": "child", "was": table}))
        driver.list_append(*JULIET, "list", "parent")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert driver.load(*JULIET, "settings") == {"by": "child", "was": {"by": "parent"}}
        driver.store(*JULIET, "settings", {"by": "parent again"})
        assert driver.load(*JULIET, "settings") == {"by": "parent again"}

    def test_two_openings_see_each_other(self, driver: Driver, opened: Callable[[], Driver]) -> None:
        other = opened()
        for i in range(3):
            driver.store(*JULIET, "settings", {"i": i})
            assert other.load(*JULIET, "settings") == {"i": i}
            other.list_append(*JULIET, "list", i)
            assert driver.list_load(*JULIET, "list", i) == [i]

    def test_a_driver_opens_at_its_first_use(self, url: str, tmp_path: Path) -> None:
        open_driver(url, tmp_path / "elsewhere").close()
        assert list(tmp_path.iterdir()) == []


@contextlib.contextmanager
def silent_fork() -> Iterator[int]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of a fork beside threads; gunicorn forks just so
        yield os.fork()


def in_child(work: Callable[[], Any]) -> None:
    """Run in a forked process, and leave it without pytest noticing."""
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)
