"""What SQLite does for a call does not grow with what others have stored: counted in steps of its virtual machine."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from drivers import ArchiveQuery, Driver, open_driver
from tests.drivers.contract_base import JULIET
from tests.drivers.postgrescluster import Cluster

HOST = JULIET[1]
SIZES = (200, 20_000)  # of what others have
ARCHIVE = 'INSERT INTO "prosodyarchive" ("host", "user", "store", "key", "when", "with", "type", "value") VALUES (?, ?, ?, ?, ?, ?, \'xml\', \'<a/>\')'
TABLE = "INSERT INTO prosody VALUES (?, ?, ?, ?, 'string', 'x')"
LIST = 'INSERT INTO "xmpprest_list" ("host", "user", "store", "value") VALUES (?, ?, ?, ?)'


class Steps:
    """Counts the steps of all connections."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> int:
        self.count += 1
        return 0

    def connect(self, *arguments: Any, **named: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = _connect(*arguments, **named)
        connection.set_progress_handler(self, 1)
        return connection


_connect = sqlite3.connect


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    steps = Steps()
    monkeypatch.setattr(sqlite3, "connect", steps.connect)
    return steps


@pytest.fixture
def costs(steps: Steps, tmp_path: Path) -> Iterator[Callable[[Callable[[Driver], object]], list[int]]]:
    """Gives the steps of a call beside little and much of others."""
    opened = []
    for size in SIZES:
        driver = open_driver(f"sqlite:{size}.sqlite", tmp_path)
        driver.store(*JULIET, "oauth_token", {"owner": "juliet"})
        driver.archive_append(*JULIET, "archive", "<message/>", when=1)
        driver.list_append(*JULIET, "wishlist", 1)
        fill(tmp_path / f"{size}.sqlite", size)
        opened.append(driver)

    def measured(call: Callable[[Driver], object]) -> list[int]:
        found = []
        for driver in opened:
            call(driver)  # what is cached afterwards
            before = steps.count
            call(driver)
            found.append(steps.count - before)
        return found

    yield measured
    for driver in opened:
        driver.close()


def fill(path: Path, size: int) -> None:
    """What others have: tables, lists and archives in other stores, and long ones of single users."""
    with closing(_connect(path)) as connection, connection:
        users = [f"user{i:06}" for i in range(size)]
        connection.executemany(TABLE, [(HOST, user, "accounts", key) for user in users for key in ("salt", "stored_key")])
        connection.executemany(TABLE.replace("string", "number").replace("'x'", "'1700000000.5'"), [(HOST, u, "muc", "used") for u in users])
        connection.executemany(TABLE, [(HOST, "zz", "private", f"{i}") for i in range(size)])
        connection.executemany(ARCHIVE, [(HOST, user, "archive", "1", 1, "") for user in users])
        connection.executemany(ARCHIVE, [(HOST, "zz", "offline", f"{i}", i, "") for i in range(size)])
        connection.executemany(LIST, [(HOST, user, "notes", "1") for user in users])


CALLS: dict[str, Callable[[Driver], object]] = {
    "users of a store": lambda driver: list(driver.users(HOST, "oauth_token")),
    "users of an archive": lambda driver: list(driver.users(HOST, "offline")),
    "users of a list": lambda driver: list(driver.users(HOST, "wishlist")),
    "users of a store that nobody has": lambda driver: list(driver.users(HOST, "presence")),
    "page of accounts": lambda driver: driver.users_page(HOST, "accounts", after="user000100", limit=50),
    "rooms that were not used lately": lambda driver: list(driver.users_below(HOST, "muc", "used", 1.0)),
    "count of a partner between times": lambda driver: driver.archive_count(*JULIET, "archive", ArchiveQuery(with_="", start=0, end=9)),
    "stores": lambda driver: list(driver.stores(*JULIET)),
    "purge of somebody else": lambda driver: driver.purge("romeo", HOST),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_what_others_have_costs_nothing(costs: Callable[[Callable[[Driver], object]], list[int]], call: Callable[[Driver], object]) -> None:
    few, many = costs(call)
    assert 0 < many <= 2 * few


def test_the_names_of_all_are_read_by_batches(costs: Callable[[Callable[[Driver], object]], list[int]]) -> None:
    few, many = costs(lambda driver: [next(driver.users(HOST)), next(driver.users(HOST, "accounts"))])
    assert many <= 20 * few


def test_the_end_of_a_list_is_found_like_its_beginning(steps: Steps, tmp_path: Path) -> None:
    with closing(open_driver("sqlite:x.sqlite", tmp_path)) as driver:
        driver.list_store(*JULIET, "notes", range(30_000))
        costs = []
        for start in (0, 29_950):
            driver.list_load(*JULIET, "notes", start, start + 50)
            before = steps.count
            assert driver.list_load(*JULIET, "notes", start, start + 50) == list(range(start, start + 50))
            costs.append(steps.count - before)
        assert costs[1] <= 3 * costs[0] + 4 * 500


def test_an_archive_is_counted_and_searched_by_time_without_reading_it(steps: Steps, tmp_path: Path) -> None:
    costs = []
    for size in (5_000, 40_000):
        with closing(open_driver(f"sqlite:{size}.sqlite", tmp_path)) as driver:
            driver.check()
            with closing(_connect(tmp_path / f"{size}.sqlite")) as connection, connection:
                connection.executemany(ARCHIVE, [(HOST, "juliet", "archive", f"{i}", i, "") for i in range(size)])
            assert driver.archive_count(*JULIET, "archive") == size
        with closing(open_driver(f"sqlite:{size}.sqlite", tmp_path)) as driver:
            driver.check()
            before = steps.count
            assert driver.archive_count(*JULIET, "archive") == size
            assert [item.id for item in driver.archive_find(*JULIET, "archive", ArchiveQuery(start=size // 2, limit=1))] == [f"{size // 2}"]
            assert driver.archive_delete(*JULIET, "archive", ArchiveQuery(end=size, limit=10)) == 10
            costs.append(steps.count - before)
    assert costs[1] <= 1.5 * costs[0]


@pytest.mark.live
def test_postgresql_keeps_positions_too(tmp_path: Path, cluster: Cluster) -> None:
    import psycopg

    url = cluster.new_database()
    with closing(open_driver(url, tmp_path)) as driver:
        driver.list_store(*JULIET, "notes", range(3000))
        assert driver.list_load(*JULIET, "notes", 2600, 2601) == [2600]
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT position FROM xmpprest_position ORDER BY 1").fetchall()
    assert rows == [(499 + 500 * i,) for i in range(6)]
