"""Summaries of archives (drivers/sql/summary.py): right, whatever writes; made, continued and made again by themselves."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from drivers import ArchiveItem, ArchiveQuery, Driver, open_driver
from drivers.names import Key
from drivers.sql import summary
from drivers.sql.driver import SQLDriver
from tests.drivers.contract_base import JULIET
from tests.drivers.postgrescluster import Cluster

PLACE = (*JULIET, "archive")
KEY = Key(JULIET[1], JULIET[0], "archive")
MANY = 6000
COLUMNS = '"prosodyarchive" ("host", "user", "store", "key", "when", "with", "type", "value")'
TOTAL = 'SELECT COUNT(*) FROM "prosodyarchive"'


class SummaryTests:
    """The same for each database; `others` runs a statement as another program."""

    @pytest.fixture
    def driver(self, opened: Driver, others: Callable[..., list[Any]]) -> Driver:
        others(
            f"INSERT INTO {COLUMNS} WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{MANY}) "
            "SELECT 'capulet.example', 'juliet', 'archive', CAST(i AS TEXT), i, '', 'xml', '<a/>' FROM n"
        )
        return opened

    def state(self, driver: Driver) -> summary.Summary:
        assert isinstance(driver, SQLDriver)
        return driver._engine.read(lambda session: summary.load(session, KEY))

    def test_a_count_makes_the_summary_and_goes_on_from_it(self, driver: Driver, others: Callable[..., list[Any]]) -> None:
        assert driver.archive_count(*PLACE) == MANY
        state = self.state(driver)
        assert (state.items, state.latest, state.back) == (MANY - summary.KEPT, MANY - summary.KEPT, 0)
        assert driver.archive_count(*PLACE) == MANY
        driver.archive_append(*PLACE, "<message/>", when=1)
        assert driver.archive_count(*PLACE, ArchiveQuery(limit=3)) == MANY + 1
        assert driver.archive_count_within(*PLACE, most=10) == 10
        assert self.state(driver) == state

    def test_removals_by_anybody_are_seen(self, driver: Driver, others: Callable[..., list[Any]]) -> None:
        assert driver.archive_count(*PLACE) == MANY
        driver.archive_append(*PLACE, "<message/>", when=MANY, key="17")  # replaced: the last one now
        assert driver.archive_delete(*PLACE, ArchiveQuery(end=100)) == 99
        others("DELETE FROM \"prosodyarchive\" WHERE \"user\"='juliet' AND \"when\" BETWEEN 4900 AND 5100")
        assert driver.archive_count(*PLACE) == MANY - 99 - 201
        others("DELETE FROM \"prosodyarchive\"")
        assert driver.archive_count(*PLACE) == 0
        driver.archive_append(*PLACE, "<message/>", when=1)
        assert driver.archive_count(*PLACE) == 1

    def test_items_that_anybody_moves_are_seen(self, driver: Driver, others: Callable[..., list[Any]]) -> None:
        others(f"INSERT INTO {COLUMNS} SELECT \"host\", 'nurse', \"store\", 'n' || \"key\", \"when\", '', 'xml', '<a/>' FROM \"prosodyarchive\"")
        nurse = ("nurse", *PLACE[1:])
        assert (driver.archive_count(*PLACE), driver.archive_count(*nurse)) == (MANY, MANY)
        assert self.state(driver).items
        others("UPDATE \"prosodyarchive\" SET \"user\"='nurse' WHERE \"user\"='juliet' AND \"when\"<=100")
        assert (driver.archive_count(*PLACE), driver.archive_count(*nurse)) == (MANY - 100, MANY + 100)
        others("UPDATE \"prosodyarchive\" SET \"when\"=17 WHERE \"user\"='juliet' AND \"when\"=4000")
        assert driver.archive_count(*PLACE) == MANY - 100
        assert self.state(driver).back == 3999 - 17
        others("UPDATE \"prosodyarchive\" SET \"host\"='verona.example'")
        assert (driver.archive_count(*PLACE), driver.archive_count("juliet", "verona.example", "archive")) == (0, MANY - 100)

    def test_a_purge_removes_it(self, driver: Driver) -> None:
        driver.archive_count(*PLACE)
        assert self.state(driver).items
        driver.purge(*JULIET)
        assert self.state(driver) == summary.Summary()

    def test_it_is_made_again_after_the_trigger_was_missing(
        self, driver: Driver, url: str, tmp_path: Path, others: Callable[..., list[Any]], drop: str
    ) -> None:
        driver.archive_count(*PLACE)
        driver.close()
        others(drop)
        others("DELETE FROM \"prosodyarchive\" WHERE \"when\"<=10")
        with closing(open_driver(url, tmp_path)) as driver:
            assert driver.archive_count(*PLACE) == MANY - 10
            assert self.state(driver).items == MANY - 10 - summary.KEPT
            others("DELETE FROM \"prosodyarchive\" WHERE \"when\"<=20")
            assert driver.archive_count(*PLACE) == MANY - 20

    def test_the_newest_items_are_not_in_it(self, driver: Driver) -> None:
        driver.archive_extend(*PLACE, [ArchiveItem(f"new {i}", time.time(), "", "<message/>") for i in range(summary.KEPT + 1)])
        assert driver.archive_count(*PLACE) == MANY + summary.KEPT + 1
        assert self.state(driver).items == 0

    def test_pages_by_time_know_how_far_items_are_out_of_order(self, driver: Driver, url: str, tmp_path: Path) -> None:
        driver.archive_extend(*PLACE, [ArchiveItem(f"late {i}", 2000 + i, "", "<message/>") for i in range(summary.LATE)])
        query = ArchiveQuery(start=2500, limit=3)
        assert [item.id for item in driver.archive_find(*PLACE, query)] == ["2500", "2501", "2502"]
        assert self.state(driver).back == MANY - 2000
        with closing(open_driver(url, tmp_path)) as other:
            query = ArchiveQuery(end=2500, limit=1, newest_first=True)
            assert [item.id for item in other.archive_find(*PLACE, query)] == ["late 500"]


class TestSQLite(SummaryTests):
    @pytest.fixture
    def url(self) -> str:
        return "sqlite:x.sqlite"

    @pytest.fixture
    def drop(self) -> str:
        return 'DROP TRIGGER "xmpprest_archive_deleted"'

    @pytest.fixture
    def opened(self, url: str, tmp_path: Path) -> Iterator[Driver]:
        with closing(open_driver(url, tmp_path)) as driver:
            driver.check()
            yield driver

    @pytest.fixture
    def others(self, tmp_path: Path) -> Callable[..., list[Any]]:
        def run(sql: str) -> list[Any]:
            with closing(sqlite3.connect(tmp_path / "x.sqlite")) as connection, connection:
                return connection.execute(sql).fetchall()

        return run


@pytest.mark.live
class TestPostgres(SummaryTests):
    @pytest.fixture
    def url(self, cluster: Cluster) -> str:
        return cluster.new_database()

    @pytest.fixture
    def drop(self) -> str:
        return 'DROP TRIGGER "xmpprest_archive_deleted" ON "prosodyarchive"'

    @pytest.fixture
    def opened(self, url: str, tmp_path: Path) -> Iterator[Driver]:
        with closing(open_driver(url, tmp_path)) as driver:
            driver.check()
            yield driver

    @pytest.fixture
    def others(self, url: str) -> Callable[..., list[Any]]:
        import psycopg

        def run(sql: str) -> list[Any]:
            with psycopg.connect(url) as connection:
                connection.execute(sql.encode())
            return []

        return run

    def test_an_emptied_table(self, driver: Driver, others: Callable[..., list[Any]]) -> None:
        assert driver.archive_count(*PLACE) == MANY
        others('TRUNCATE "prosodyarchive"')
        assert driver.archive_count(*PLACE) == 0

    @pytest.mark.parametrize("trigger", ["deleted", "moved", "emptied"])
    def test_each_trigger_is_made_again(
        self, trigger: str, driver: Driver, url: str, tmp_path: Path, others: Callable[..., list[Any]]
    ) -> None:
        assert driver.archive_count(*PLACE) == MANY
        others(f'DROP TRIGGER "xmpprest_archive_{trigger}" ON "prosodyarchive"')
        others("DELETE FROM \"prosodyarchive\" WHERE \"when\"<=10")
        with closing(open_driver(url, tmp_path)) as other:
            assert other.archive_count(*PLACE) == MANY - 10
            others('TRUNCATE "prosodyarchive"')
            assert other.archive_count(*PLACE) == 0

    @pytest.mark.parametrize("before", [True, False], ids=["it begins before", "it begins in between"])
    def test_a_removal_that_is_not_committed_yet_is_counted_once(self, driver: Driver, url: str, before: bool) -> None:
        """By Prosody, which takes no locks of ours, and may be another user."""
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP ROLE IF EXISTS prosody")
            connection.execute("CREATE ROLE prosody; GRANT SELECT, DELETE ON prosodyarchive TO prosody")
        with psycopg.connect(url) as connection:
            if not before:
                assert driver.archive_count(*PLACE) == MANY
            connection.execute("SET ROLE prosody")
            connection.execute('DELETE FROM "prosodyarchive" WHERE "when"<=10')
            counted: list[int] = []
            thread = threading.Thread(target=lambda: counted.append(driver.archive_count(*PLACE)))
            thread.start()
            waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type='Lock'"
            deadline = time.monotonic() + 10
            with psycopg.connect(url, autocommit=True) as looks:
                while thread.is_alive() and not looks.execute(waits).fetchall() and time.monotonic() < deadline:
                    time.sleep(0.01)
            connection.execute("RESET ROLE")
            connection.commit()
            thread.join(20)
        assert counted == [MANY]  # as it was when it was read
        assert driver.archive_count(*PLACE) == MANY - 10
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP OWNED BY prosody; DROP ROLE prosody")
