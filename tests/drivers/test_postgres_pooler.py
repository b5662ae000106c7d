"""PostgreSQL behind PgBouncer in transaction mode, where each transaction may have another connection to the server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers import Driver, StorageError
from drivers.lease import Lease, LeaseTaken
from drivers.shared import NodeRow
from tests.conftest import OpenDriver
from tests.drivers.conftest import give_up
from tests.drivers.contract_base import JULIET
from tests.drivers.contract_bulk import BulkContract
from tests.drivers.contract_notes import NotesContract
from tests.drivers.contract_writers import WritersContract
from tests.drivers.pgbouncer import PgBouncer
from tests.drivers.postgrescluster import Cluster
from tests.many import in_threads

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def pooler(cluster: Cluster) -> Iterator[PgBouncer]:
    if not (shutil.which("pgbouncer") or Path("/usr/sbin/pgbouncer").exists()):
        give_up("PgBouncer is not installed (on Debian: apt-get install pgbouncer)")
    pooler = PgBouncer(cluster)
    try:
        pooler.start()
        yield pooler
    finally:
        pooler.stop()


class TestBehindAPooler(NotesContract, WritersContract, BulkContract):
    @pytest.fixture
    def url(self, cluster: Cluster, pooler: PgBouncer) -> str:
        return pooler.url(cluster.new_database())

    def test_nothing_of_a_call_stays_in_the_connections_to_the_server(self, driver: Driver, url: str) -> None:
        import psycopg

        def work(number: int) -> None:
            driver.update(f"user{number}", "capulet.example", "settings", lambda _: {"n": number})
            assert driver.load(f"user{number}", "capulet.example", "settings") == {"n": number}

        in_threads(work, range(8))
        for _ in range(4):
            with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
                for setting in ("statement_timeout", "lock_timeout"):
                    assert connection.execute(f"SHOW {setting}".encode()).fetchone() == ("0",)
                assert connection.execute("SELECT COUNT(*) FROM pg_prepared_statements").fetchone() == (0,)

    def test_a_statement_that_takes_too_long(self, url: str, tmp_path: Path, open_driver: OpenDriver) -> None:
        driver = open_driver(f"{url}&statement_timeout=1", tmp_path)
        driver.store(*JULIET, "settings", {"a": 1})
        with pytest.raises(StorageError, match="took longer than 1 s"):
            driver._engine.read(lambda session: session.rows("SELECT pg_sleep(30)"))  # type: ignore[attr-defined]
        driver.close()

    def test_a_lease_keeps_another_gateway_out(self, driver: Driver, url: str, tmp_path: Path, open_driver: OpenDriver) -> None:
        ours = Lease(driver, "node1", "here", ["capulet.example"])
        ours.claim()
        other = open_driver(url, tmp_path / "other")
        with pytest.raises(LeaseTaken, match="another gateway uses this storage"):
            Lease(other, "node2", "there", ["capulet.example"]).claim()
        ours.keep()
        ours.release()
        Lease(other, "node2", "there", ["capulet.example"]).claim()
        with pytest.raises(LeaseTaken):
            ours.keep()
        other.close()

    def test_the_rows_of_nodes(self, driver: Driver) -> None:
        rows = driver.node_table("gw.example")
        own = NodeRow("web1", "a", "a", "none", "1.0.0", 0, 0, {"where": "here"})
        assert rows.enter(own) is None
        assert rows.beat(own)
        (row,) = rows.nodes()
        assert row == own._replace(beat=2)
        assert driver.node_table("other.example").nodes() == []
        assert not rows.forget("web1", own)
        assert rows.forget("web1", row)
        assert not rows.beat(own)

    def test_reading_alone_where_tables_are_missing(self, url: str, tmp_path: Path, open_driver: OpenDriver) -> None:
        import psycopg

        with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
            connection.execute('CREATE TABLE "prosody" ("host" TEXT, "user" TEXT, "store" TEXT, "key" TEXT, "type" TEXT, "value" TEXT)')
            connection.execute("INSERT INTO prosody VALUES ('h', 'u', 'accounts', 'password', 'string', 'x')")
        driver = open_driver(url, tmp_path)
        driver.read_only()
        assert driver.load("u", "h", "accounts") == {"password": "x"}
        assert list(driver.users("h")) == list(driver.users("h", "accounts")) == driver.users_page("h", limit=5) == ["u"]
        assert list(driver.stores("u", "h")) == [("accounts", "keyval")]
        assert [str(place) for place in driver.places()] == ["u@h: accounts"]
        assert (driver.count_places(), driver.note("lease"), driver.list_load("u", "h", "notes")) == (1, None, None)
        assert (list(driver.archive_find("u", "h", "archive")), driver.archive_count("u", "h", "archive")) == ([], 0)
        driver.close()
