"""PostgreSQL: limits of time, lost commits, other orders of text, and indexes that are missing."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from drivers import ArchiveItem, BadStorageURL, Content, StorageError, open_driver
from drivers.postgres import _without_timeout
from tests.conftest import OpenDriver
from tests.drivers.contract_base import JULIET
from tests.drivers.contract_bulk import BulkContract
from tests.drivers.contract_contents import ContentsContract
from tests.drivers.postgrescluster import Cluster

INVALID = "UPDATE pg_index SET indisvalid=false WHERE indexrelid='xmpprest_by_store'::regclass"
FATAL = """
CREATE FUNCTION fatal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER fatal AFTER INSERT ON prosody DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.key='fatal')
EXECUTE FUNCTION fatal()
"""


@pytest.mark.parametrize(
    ("rest", "without", "seconds"),
    [
        ("//u@h/d", "//u@h/d", 30),
        ("//u@h/d?statement_timeout=5", "//u@h/d", 5),
        ("//u@h/d?statement_timeout=5&sslmode=require", "//u@h/d?sslmode=require", 5),
        ("//u@h/d?sslmode=require&statement_timeout=5", "//u@h/d?sslmode=require", 5),
        ("//u@h/d?a=b&statement_timeout=5&c=d", "//u@h/d?a=b&c=d", 5),
        ("host=h statement_timeout=120 dbname=d", "host=h  dbname=d", 120),
    ],
)
def test_the_timeout_in_a_url(rest: str, without: str, seconds: float) -> None:
    assert _without_timeout(rest) == (without, seconds)


@pytest.mark.parametrize("seconds", ["0", "-1", "1.5", "soon", ""])
def test_a_timeout_that_is_no_number(seconds: str, tmp_path: Path, open_driver: OpenDriver) -> None:
    with pytest.raises(BadStorageURL, match="is not a number of seconds"):
        open_driver(f"postgresql://u@h/d?statement_timeout={seconds}", tmp_path)


@pytest.mark.live
class TestAnotherOrderOfText(ContentsContract, BulkContract):
    """In a database where "a" < "B" < "c"."""

    @pytest.fixture
    def url(self, cluster: Cluster) -> str:
        return cluster.new_database("TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C.UTF-8'")

    def test_names_come_in_the_order_of_code_points(self, url: str, tmp_path: Path, open_driver: OpenDriver) -> None:
        driver = open_driver(url, tmp_path)
        names = ["Bob", "a-b", "aB", "ab", "alice", "b_b", "bob", "z", "ä", "𝔸"]
        driver.bulk_write([Content(name, "capulet.example", "accounts", "keyval", {"a": 1}) for name in names])
        assert driver.users_page("capulet.example", "accounts", limit=20) == sorted(names)
        assert driver.users_page("capulet.example", "accounts", after="aB", limit=3) == ["ab", "alice", "b_b"]
        assert sorted(driver.users("capulet.example", "accounts")) == sorted(driver.users("capulet.example")) == sorted(names)
        assert sorted(str(place.user) for place in driver.places()) == sorted(names)
        driver.close()


@pytest.mark.live
def test_a_statement_that_takes_too_long(cluster: Cluster, tmp_path: Path, open_driver: OpenDriver) -> None:
    import psycopg

    url = cluster.new_database()
    driver = open_driver(f"{url}&statement_timeout=1", tmp_path)
    driver.store(*JULIET, "settings", {"a": 1})
    with pytest.raises(StorageError, match="took longer than 1 s") as raised:
        driver._engine.read(lambda session: session.rows("SELECT pg_sleep(30)"))  # type: ignore[attr-defined]
    assert raised.value.told == "the database took longer than 1 s"
    with psycopg.connect(url) as other:
        other.execute("SELECT 1 FROM xmpprest_lock FOR UPDATE")
        with pytest.raises(StorageError, match="others have been writing the same store for 1 s|took longer than 1 s"):
            driver.store(*JULIET, "settings", {"a": 2})
    assert driver.load(*JULIET, "settings") == {"a": 1}
    driver.close()


@pytest.mark.live
def test_a_connection_lost_in_a_commit_is_told_and_nothing_is_done_twice(cluster: Cluster, tmp_path: Path, open_driver: OpenDriver) -> None:
    import psycopg

    url = cluster.new_database()
    driver = open_driver(url, tmp_path)
    driver.check()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(FATAL)
    changes = []

    def change(table: Any) -> Any:
        changes.append(table)
        return {"fatal": len(changes)}

    with pytest.raises(StorageError, match="while a change was being committed; it may have been made"):
        driver.update(*JULIET, "settings", change)
    assert changes == [None]
    driver.store(*JULIET, "settings", {"a": 1})
    driver.close()


@pytest.mark.live
@pytest.mark.parametrize("broken", ['DROP INDEX "xmpprest_by_store"', INVALID], ids=["missing", "interrupted"])
def test_an_index_of_a_large_table_is_made_beside_writers(cluster: Cluster, tmp_path: Path, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import psycopg

    monkeypatch.setattr("drivers.sql.postgresindexes.LARGE", 10)
    url = cluster.new_database()
    contents = [Content(f"user{i}", "capulet.example", "accounts", "keyval", {"a": 1}) for i in range(20)]
    with closing(open_driver(url, tmp_path)) as driver:
        driver.bulk_write([*contents, Content("user1", "capulet.example", "archive", "archive", [ArchiveItem("a", 5, "", "<message/>")])])
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(broken.encode())
        with psycopg.connect(url) as writer, closing(open_driver(url, tmp_path)) as driver:
            writer.execute("INSERT INTO prosody VALUES ('h', 'u', 's', 'k', 'string', 'v')")  # an open transaction: CONCURRENTLY waits for it
            assert driver.load("user7", "capulet.example", "accounts") == {"a": 1}
            driver.store("user7", "capulet.example", "accounts", {"a": 2})
            assert len(list(driver.users("capulet.example", "accounts"))) == 20
            making = driver._engine.indexes.making  # type: ignore[attr-defined]
            assert making.is_alive()
            writer.commit()
            making.join(30)
        valid = connection.execute("SELECT indisvalid FROM pg_index WHERE indexrelid='xmpprest_by_store'::regclass").fetchall()
        assert valid == [(True,)]


@pytest.mark.live
def test_several_processes_that_miss_an_index(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One makes it. Two at once would wait for each other, and PostgreSQL ends one of them, which leaves an index that is not valid."""
    import psycopg

    monkeypatch.setattr("drivers.sql.postgresindexes.LARGE", 10)
    monkeypatch.setattr("drivers.sql.postgresindexes.AGAIN", (0.01, 0.05))
    url = cluster.new_database()
    with closing(open_driver(url, tmp_path)) as driver:
        driver.bulk_write([Content(f"user{i}", "capulet.example", "accounts", "keyval", {"a": 1}) for i in range(20)])
    with psycopg.connect(url, autocommit=True) as connection, ExitStack() as stack:
        connection.execute('DROP INDEX "xmpprest_by_store"; DROP INDEX "xmpprest_room_used"')
        with psycopg.connect(url) as writer:
            writer.execute("INSERT INTO prosody VALUES ('h', 'u', 's', 'k', 'string', 'v')")
            several = [stack.enter_context(closing(open_driver(url, tmp_path))) for _ in range(3)]
            for driver in several:
                driver.check()
        for driver in several:
            driver._engine.indexes.making.join(30)  # type: ignore[attr-defined]
        for name in ("by_store", "room_used"):
            sql = f"SELECT indisvalid FROM pg_index WHERE indexrelid='xmpprest_{name}'::regclass"
            assert connection.execute(sql.encode()).fetchall() == [(True,)]
    assert "could not be made" not in caplog.text
