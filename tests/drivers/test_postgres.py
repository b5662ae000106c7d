"""The PostgreSQL driver: contract, conflicts and broken connections."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from drivers import BadStorageURL, Driver, StorageError
from tests.conftest import OpenDriver
from tests.drivers.contract import DriverContract
from tests.drivers.contract_base import JULIET
from tests.drivers.postgrescluster import Cluster
from tests.service.accounts.test_administrator import configuration, one_won


@pytest.mark.live
class TestPostgres(DriverContract):
    @pytest.fixture
    def url(self, cluster: Cluster) -> str:
        return cluster.new_database()

    def test_the_tables_are_those_of_the_server(self, driver: Driver, url: str) -> None:
        import psycopg

        driver.check()
        with psycopg.connect(url) as connection:
            rows = connection.execute(
                "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns "
                "WHERE table_name IN ('prosody', 'prosodyarchive') ORDER BY table_name, ordinal_position"
            ).fetchall()
        text = ["host", "user", "store", "key", "type", "value"]
        archive = [("sort_id", "bigint"), *((name, "text") for name in text[:4]), ("when", "integer"), ("with", "text"), ("type", "text")]
        expected = [("prosody", name, "text", "NO") for name in text]
        expected += [("prosodyarchive", name, kind, "NO") for name, kind in [*archive, ("value", "text")]]
        assert rows == expected

    def test_a_transaction_that_the_database_gives_up_is_run_again(self, driver: Driver) -> None:
        import psycopg

        tries = []

        def change(table: Any) -> Any:
            tries.append(table)
            if len(tries) < 3:
                raise psycopg.errors.SerializationFailure
            return {"n": len(tries)}

        assert driver.update(*JULIET, "settings", change) == {"n": 3}
        assert driver.load(*JULIET, "settings") == {"n": 3}

    def test_serializable_transactions_lose_nothing_either(self, url: str, tmp_path: Path, open_driver: OpenDriver) -> None:
        strict = f"{url}&options=-cdefault_transaction_isolation%3Dserializable"
        driver = open_driver(strict, tmp_path)
        self.test_threads_lose_no_update(driver)
        driver.close()

    def test_purging_leaves_no_name_behind(self, driver: Driver, url: str) -> None:
        import psycopg

        driver.store(*JULIET, "settings", {"a": 1})
        driver.archive_append(*JULIET, "archive", "<message/>", when=1.5)
        driver.purge(*JULIET)
        with psycopg.connect(url) as connection:
            for table in ("prosody", "prosodyarchive", "xmpprest_list", "xmpprest_lock", "xmpprest_time"):
                assert connection.execute(f"SELECT COUNT(*) FROM {table}".encode()).fetchone() == (0,)


@pytest.mark.live
def test_a_server_that_comes_and_goes(tmp_path: Path, cluster: Cluster, open_driver: OpenDriver) -> None:
    own = Cluster()
    try:
        own.start()
        driver = open_driver(own.new_database(), tmp_path)
        driver.store(*JULIET, "settings", {"a": 1})
        own.halt()
        with pytest.raises(StorageError, match="PostgreSQL database 'test1'"):
            driver.load(*JULIET, "settings")
        own.start()
        assert driver.load(*JULIET, "settings") == {"a": 1}
        own.halt()
        own.start("default_transaction_read_only=on")
        assert driver.load(*JULIET, "settings") == {"a": 1}
        with pytest.raises(StorageError, match="read-only"):
            driver.store(*JULIET, "settings", {"a": 2})
        driver.close()
    finally:
        own.stop()


@pytest.mark.live
@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://postgres@/nowhere?host={folder}", "does not exist"),
        ("postgresql://tybalt@/postgres?host={folder}", "role .tybalt. does not exist"),
        ("postgresql://postgres@/postgres?host={folder}/elsewhere", "cannot be reached"),
    ],
)
def test_a_database_that_cannot_be_had_is_a_clear_error_at_once(cluster: Cluster, tmp_path: Path, url: str, sentence: str, open_driver: OpenDriver) -> None:
    driver = open_driver(url.format(folder=cluster.folder), tmp_path)
    with pytest.raises(StorageError, match=sentence):
        driver.load(*JULIET, "settings")
    driver.close()


def test_a_url_that_cannot_be_read(tmp_path: Path, open_driver: OpenDriver) -> None:
    with pytest.raises(BadStorageURL, match="cannot be read"):
        open_driver("postgresql:no such thing", tmp_path)


def test_without_psycopg_the_error_says_what_to_install(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from pathlib import Path\nfrom drivers import BadStorageURL, open_driver\n"
        "try: open_driver('postgresql://localhost/x', Path('.'))\nexcept BadStorageURL as e: print(e)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=root, timeout=60)
    assert "pip install 'xmpp-rest[postgres]'" in done.stdout


@pytest.mark.live
def test_processes_that_start_first_at_once_on_an_empty_database(tmp_path: Path, cluster: Cluster) -> None:
    one_won(configuration(tmp_path, cluster.new_database()))


@pytest.mark.live
def test_reading_alone_changes_nothing(tmp_path: Path, cluster: Cluster, open_driver: OpenDriver) -> None:
    """A database of Prosody's lacks our tables: they count as empty, and are not made."""
    import psycopg

    url = cluster.new_database()
    names = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    with psycopg.connect(url, autocommit=True) as connection:
        assert not open_driver(url, tmp_path).exists()
        connection.execute('CREATE TABLE "prosody" ("host" TEXT, "user" TEXT, "store" TEXT, "key" TEXT, "type" TEXT, "value" TEXT)')
        connection.execute("INSERT INTO prosody VALUES ('h', 'u', 'accounts', 'password', 'string', 'x')")
        driver = open_driver(url, tmp_path)
        assert driver.exists()
        driver.read_only()
        assert driver.load("u", "h", "accounts") == {"password": "x"}
        assert list(driver.hosts()) == ["h"]
        assert driver.list_load("u", "h", "notes") is None
        driver.close()
        assert [name for (name,) in connection.execute(names.encode()).fetchall()] == ["prosody"]


@pytest.mark.live
def test_indexes_are_made_where_they_are_missing(tmp_path: Path, cluster: Cluster, open_driver: OpenDriver) -> None:
    """A database of a former version, or of Prosody."""
    import psycopg

    url = cluster.new_database()
    driver = open_driver(url, tmp_path)
    driver.store(*JULIET, "settings", {"a": 1})
    driver.close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP INDEX xmpprest_by_store; CREATE INDEX xmpprest_archive_with_sort ON prosodyarchive (host, sort_id)")
        driver = open_driver(url, tmp_path)
        assert list(driver.users(JULIET[1], "settings")) == ["juliet"]
        names = {name for (name,) in connection.execute("SELECT indexname FROM pg_indexes WHERE schemaname = 'public'").fetchall()}
    assert "xmpprest_by_store" in names
    assert "xmpprest_archive_with_sort" not in names


@pytest.mark.live
def test_tables_of_another_user_are_used_without_indexes_of_ours(tmp_path: Path, cluster: Cluster, open_driver: OpenDriver) -> None:
    import psycopg

    url = cluster.new_database()
    driver = open_driver(url, tmp_path)
    driver.store(*JULIET, "settings", {"a": 1})
    driver.close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE gateway LOGIN; DROP INDEX xmpprest_by_store; GRANT ALL ON ALL TABLES IN SCHEMA public TO gateway")
        driver = open_driver(url.replace("postgres@", "gateway@"), tmp_path)
        assert list(driver.users(JULIET[1], "settings")) == ["juliet"]
        driver.close()
        connection.execute("DROP OWNED BY gateway; DROP ROLE gateway")
