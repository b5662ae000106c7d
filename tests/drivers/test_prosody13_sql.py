"""A database that a Prosody 13 has written, or is writing now, is read and written without loss."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from drivers import ArchiveQuery, Driver, StorageError, open_driver
from tests.drivers.contract_base import JULIET
from tests.drivers.postgrescluster import Cluster

UNIQUE = 'CREATE UNIQUE INDEX "prosody_unique_index" ON "prosody" ("host", "user", "store", "key")'
ITEM = "INSERT INTO prosodyarchive (host, user, store, key, \"when\", \"with\", type, value) VALUES (?, ?, ?, ?, ?, '', 'xml', '<message/>')"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A database that 13 has opened: its unique index instead of the other, and exact times in the archive."""
    with closing(open_driver("sqlite:x.sqlite", tmp_path)) as driver:
        driver.check()
    connection = sqlite3.connect(tmp_path / "x.sqlite", isolation_level=None)
    connection.execute(UNIQUE)
    connection.execute('DROP INDEX "prosody_index"')
    for i, when in enumerate([209, 210.2, 210.4, 210.5, 210.7, 211]):
        connection.execute(ITEM, ("capulet.example", "juliet", "archive", f"p{i}", when))
    yield connection
    connection.close()


def test_limits_are_exact(database: sqlite3.Connection, tmp_path: Path) -> None:
    database.close()
    driver = open_driver("sqlite:x.sqlite", tmp_path)
    driver.archive_append(*JULIET, "archive", "<message/>", when=210.45, key="o")
    for query, expected in {
        ArchiveQuery(end=210.5): ["p0", "p1", "p2", "p3", "o"],
        ArchiveQuery(end=210.5, limit=9): ["p0", "p1", "p2", "p3", "o"],
        ArchiveQuery(start=210.4, end=210.5): ["p2", "p3", "o"],
        ArchiveQuery(start=210.5): ["p3", "p4", "p5"],
        ArchiveQuery(start=210.41, end=210.49): ["o"],
        ArchiveQuery(end=210): ["p0"],
        ArchiveQuery(start=211, end=211): ["p5"],
    }.items():
        assert [item.id for item in driver.archive_find(*JULIET, "archive", query)] == expected
        assert driver.archive_count(*JULIET, "archive", query) == len(expected)
    assert driver.archive_delete(*JULIET, "archive", ArchiveQuery(end=210.5)) == 5
    assert [item.id for item in driver.archive_find(*JULIET, "archive")] == ["p4", "p5"]
    driver.close()


def indexes(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='index' AND tbl_name='prosody' AND name NOT LIKE 'xmpprest%'")}


def test_the_index_that_13_has_replaced_is_not_made_again(database: sqlite3.Connection, tmp_path: Path) -> None:
    driver = open_driver("sqlite:x.sqlite", tmp_path)
    driver.store(*JULIET, "settings", {"a": 1})
    assert indexes(database) == {"prosody_unique_index"}
    database.execute("DROP TABLE xmpprest_time")  # also where something else has to be made
    driver.close()
    driver = open_driver("sqlite:x.sqlite", tmp_path)
    driver.check()
    assert indexes(database) == {"prosody_unique_index"}
    database.execute('DROP INDEX "prosody_unique_index"')
    driver.close()
    with closing(open_driver("sqlite:x.sqlite", tmp_path)) as driver:
        driver.check()
    assert indexes(database) == {"prosody_index"}


@pytest.mark.live
class TestBoth:
    """Ours and a running 13, on one PostgreSQL database."""

    @pytest.fixture
    def url(self, cluster: Cluster) -> str:
        return cluster.new_database()

    @pytest.fixture
    def driver(self, url: str, tmp_path: Path) -> Iterator[Driver]:
        driver = open_driver(url, tmp_path)
        driver.check()
        yield driver
        driver.close()

    def test_who_comes_second_writes_again(self, driver: Driver, url: str) -> None:
        import psycopg

        with psycopg.connect(url) as prosody, psycopg.connect(url, autocommit=True) as watcher:
            prosody.execute(UNIQUE.encode())
            prosody.commit()
            prosody.execute(b"INSERT INTO prosody VALUES ('capulet.example', 'juliet', 'settings', 'theme', 'string', 'dark')")
            seen: list[Any] = []

            def change(table: Any) -> Any:
                seen.append(table)
                return {**(table or {}), "theme": "light", "by": "ours"}

            ours = threading.Thread(target=driver.update, args=(*JULIET, "settings", change))
            ours.start()
            waiting = b"SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            deadline = time.monotonic() + 30
            while not watcher.execute(waiting).fetchall():  # until ours has met the key that is not committed yet
                assert time.monotonic() < deadline
            prosody.commit()
            ours.join(30)
        assert seen == [None, {"theme": "dark"}]
        assert driver.load(*JULIET, "settings") == {"theme": "light", "by": "ours"}

    @pytest.mark.parametrize("index", ["prosody_unique_index", "prosodyarchive_index"])
    def test_a_conflict_that_never_ends_is_an_error(self, url: str, index: str, tmp_path: Path) -> None:
        import psycopg

        driver = open_driver(f"{url}&statement_timeout=1", tmp_path)
        driver.check()
        with psycopg.connect(url) as connection:
            connection.execute(UNIQUE.encode())
        tries = []

        def change(table: Any) -> Any:
            tries.append(1)
            with psycopg.connect(url) as other:
                if index == "prosody_unique_index":
                    for _ in range(2):
                        other.execute(b"INSERT INTO prosody VALUES ('h', 'u', 's', 'k', 'string', 'v')")
                for _ in range(2):
                    other.execute(ITEM.replace("user,", '"user",').replace("?", "%s").encode(), ("h", "u", "s", "k", 1))

        with closing(driver), pytest.raises(StorageError, match="others kept writing the same rows"):
            driver.update(*JULIET, "settings", change)
        assert len(tries) > 1

    def test_any_other_violation_is_no_conflict(self, driver: Driver, url: str) -> None:
        import psycopg

        with psycopg.connect(url) as connection:
            connection.execute(b'CREATE UNIQUE INDEX "mine" ON "prosody" ("value")')
        driver.store(*JULIET, "settings", {"a": 1})
        with pytest.raises(StorageError, match='unique constraint "mine"'):
            driver.store(*JULIET, "other", {"a": 1})
