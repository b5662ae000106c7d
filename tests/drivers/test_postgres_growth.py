"""What PostgreSQL reads does not grow with what is stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from drivers import ArchiveItem, ArchiveQuery, Content, Driver, open_driver
from tests.drivers.postgrescluster import Cluster

pytestmark = pytest.mark.live
MANY = 20_000
MIDDLE = 1_600_000_000 + MANY // 2 * 30


def filled(cluster: Cluster, folder: Path, count: int) -> Driver:
    """A storage with an archive of so many items, and others of as many."""
    import psycopg

    url = cluster.new_database()
    driver = open_driver(url, folder)
    items = [ArchiveItem(f"id{i}", 1_600_000_000 + i * 30, f"c{i % 50}@x", "<message/>") for i in range(count)]
    owners = ["juliet", "romeo", "nurse", "tybalt"]  # hers come first: it must not look as if many of hers were among the latest
    driver.bulk_write([Content(owner, "capulet.example", "archive", "archive", items, new=True) for owner in owners])
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return driver


def blocks_read(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> int:
    """The number of blocks that the statements of some work read, in memory or not."""
    from drivers.sql import postgressession

    rows = postgressession.PostgresSession.rows
    read = []

    def explained(session: Any, sql: str, *parameters: Any) -> Any:
        (plan,) = rows(session, f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", *parameters)[0]
        tree = plan[0] if isinstance(plan, list) else json.loads(plan)[0]
        read.append(tree["Plan"]["Shared Hit Blocks"] + tree["Plan"]["Shared Read Blocks"])
        return rows(session, sql, *parameters)

    with monkeypatch.context() as patched:
        patched.setattr(postgressession.PostgresSession, "rows", explained)
        work()
    assert read
    return sum(read)


PAGES = [
    ArchiveQuery(start=MIDDLE, limit=20),
    ArchiveQuery(end=MIDDLE, limit=20, newest_first=True),
    ArchiveQuery(start=MIDDLE, end=MIDDLE + 3000, limit=20, with_="c7@x"),
    ArchiveQuery(limit=20, newest_first=True),
]


def test_a_page_of_a_long_archive(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(filled(cluster, tmp_path, MANY)) as driver:
        owner = ("juliet", "capulet.example", "archive")
        for query in PAGES:
            assert list(driver.archive_find(*owner, query))  # the first page between two times reads the archive once
            assert blocks_read(monkeypatch, lambda query=query: list(driver.archive_find(*owner, query))) < 250  # type: ignore[misc]
