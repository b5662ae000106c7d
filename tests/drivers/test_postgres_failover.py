"""A primary and a synchronous standby of PostgreSQL: after a failover everything acknowledged is there, once."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from drivers import StorageError, open_driver
from tests.drivers.conftest import give_up
from tests.drivers.contract_base import JULIET
from tests.drivers.postgrescluster import Cluster, program

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]


class Pair:
    """A primary, and a standby without which it confirms no commit."""

    def __init__(self) -> None:
        self.primary, self.standby = Cluster(), Cluster()

    def start(self) -> str:
        """The URL of an empty database, which names both."""
        import psycopg

        self.primary.start()
        url = self.primary.new_database()
        self.standby.follow(self.primary)
        self.standby.start()
        with psycopg.connect(self.primary.conninfo("postgres"), autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")
            deadline = time.monotonic() + 30
            while connection.execute("SELECT sync_state FROM pg_stat_replication").fetchall() != [("sync",)]:
                assert time.monotonic() < deadline
        return f"{url},{self.standby.folder}&target_session_attrs=read-write"

    def stop(self) -> None:
        self.primary.stop()
        self.standby.stop()


@pytest.fixture
def pair() -> Iterator[Pair]:
    if program("pg_basebackup") is None:
        give_up("PostgreSQL is not installed (on Debian: apt-get install postgresql)")
    pair = Pair()
    try:
        yield pair
    finally:
        pair.stop()


class Writer(threading.Thread):
    """Appends numbers to a list, and remembers which were acknowledged, and when."""

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__()
        self._driver = open_driver(url, folder)
        self.acknowledged: list[int] = []
        self.times: list[float] = []
        self.errors: set[str] = set()
        self.news = threading.Condition()
        self.ending = False

    def run(self) -> None:
        number = 0
        with closing(self._driver):
            while not self.ending:
                number += 1
                try:
                    self._driver.list_append(*JULIET, "numbers", number)
                except StorageError as e:
                    self.errors.add(e.told)
                    continue
                with self.news:
                    self.acknowledged.append(number)
                    self.times.append(time.monotonic())
                    self.news.notify_all()

    def wait(self, more: int) -> None:
        """Until so many more have been acknowledged."""
        with self.news:
            wanted = len(self.acknowledged) + more
            assert self.news.wait_for(lambda: len(self.acknowledged) >= wanted, 60), self.errors


def test_a_failover_loses_nothing_acknowledged(pair: Pair, tmp_path: Path) -> None:
    url = pair.start()
    writer = Writer(url, tmp_path)
    writer.start()
    try:
        writer.wait(50)
        pair.primary.halt()
        before = len(writer.times)
        command = [program("pg_ctl") or "", "promote", "-D", str(pair.standby.folder / "data")]
        subprocess.run(command, check=True, capture_output=True, cwd=pair.standby.folder, **pair.standby.as_user())
        writer.wait(50)
    finally:
        writer.ending = True
        writer.join(60)
    with closing(open_driver(url, tmp_path)) as driver:
        kept = driver.list_load(*JULIET, "numbers") or []
    assert len(kept) == len(set(kept))
    assert set(writer.acknowledged) <= set(kept)
    gap = max(later - earlier for earlier, later in zip(writer.times[before - 1 :], writer.times[before:], strict=False))
    print(f"the gap was {gap:.1f} s")
    assert gap < 30


def test_a_commit_that_no_standby_has_confirmed_is_not_acknowledged(pair: Pair, tmp_path: Path) -> None:
    with closing(open_driver(f"{pair.start()}&statement_timeout=1", tmp_path)) as driver:
        driver.store(*JULIET, "settings", {"a": 1})
        pair.standby.halt()
        with pytest.raises(StorageError, match="it may have been made"):  # PostgreSQL says COMMIT, and a warning
            driver.store(*JULIET, "settings", {"a": 2})
        pair.standby.start()
        assert driver.load(*JULIET, "settings") == {"a": 2}
        driver.store(*JULIET, "settings", {"a": 3})
        assert driver.load(*JULIET, "settings") == {"a": 3}
