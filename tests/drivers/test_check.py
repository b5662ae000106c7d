"""`check` names what would break another program that uses the storage, and nothing else."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from drivers import beside, open_driver
from tests.drivers import prosody13
from tests.drivers.postgrescluster import Cluster
from tests.raising import raising
from xmpp_rest.cli.gateway import storage_remarks
from xmpp_rest.config.load import load_settings

JULIET = ("juliet", "capulet.example")
TWIN = "INSERT INTO prosody VALUES ('capulet.example', '{}', 'roles', 'k', 'string', '{}')"


def remarks(url: str, tmp_path: Path) -> list[str]:
    settings = load_settings(None, {"XMPP_REST_STORAGE_URL": url, "XMPP_REST_SERVER_DATA_DIR": str(tmp_path / "data")})
    return list(storage_remarks(settings))


@pytest.mark.parametrize("url", ["sqlite:x.sqlite", "flatfile:files", "jsonfile:files"])
def test_a_storage_that_is_not_there_is_not_made(url: str, tmp_path: Path) -> None:
    assert remarks(url, tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["sqlite:x.sqlite", "flatfile:files", "jsonfile:files"])
def test_a_storage_of_ours_alone_is_well(url: str, tmp_path: Path) -> None:
    with closing(open_driver(url, tmp_path / "data")) as driver:
        driver.store(*JULIET, "settings", {"a": 1})
        driver.archive_append(*JULIET, "archive", "<message/>", when=1)
    assert remarks(url, tmp_path) == []


def test_stale_indexes_are_named(tmp_path: Path) -> None:
    lists = [tmp_path / f"data/files/capulet%2eexample/archive/{name}.list" for name in ("good", "appended", "swallowed", "gone")]
    for path in lists:
        for i in range(3):
            prosody13.append(path, prosody13.record(f"p{i}", i + 0.5, "p"))
    _, appended, swallowed, gone = lists
    with appended.open("ab") as file:
        file.write(b"item(1);\n")
    with swallowed.open("ab") as file:
        file.write(b"item(1);\n")
    prosody13.append(swallowed, b"item(2);\n")  # the last entry of the index is right again
    gone.unlink()
    found = remarks("flatfile:files", tmp_path)
    assert [line.partition(":")[0] for line in found] == [str(path.with_suffix(".lidx")) for path in (appended, gone, swallowed)]
    assert all("remove it" in line for line in found)
    assert all(prosody13.index_of(path).exists() for path in lists)


def test_members_that_stand_twice_are_named_with_what_to_do(tmp_path: Path) -> None:
    with closing(open_driver("sqlite:x.sqlite", tmp_path / "data")) as driver:
        driver.store(*JULIET, "settings", {"a": 1})
    with closing(sqlite3.connect(tmp_path / "data/x.sqlite")) as connection, connection:
        for value in ("old", "new"):
            connection.execute(TWIN.format("juliet", value))
    twin, remedy = remarks("sqlite:x.sqlite", tmp_path)
    assert twin.startswith("juliet@capulet.example: roles: the member 'k' is in 2 rows")
    with closing(sqlite3.connect(tmp_path / "data/x.sqlite")) as connection, connection:
        connection.execute(remedy.partition(": ")[2])
        connection.execute('CREATE UNIQUE INDEX "prosody_unique_index" ON "prosody" ("host", "user", "store", "key")')
        assert connection.execute("SELECT value FROM prosody WHERE store='roles'").fetchall() == [("new",)]
    assert remarks("sqlite:x.sqlite", tmp_path) == []


@pytest.mark.live
def test_members_that_stand_twice_in_postgresql(cluster: Cluster, tmp_path: Path) -> None:
    import psycopg

    url = cluster.new_database()
    assert remarks(url, tmp_path) == []
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT to_regclass('prosody')").fetchone() == (None,)
    with closing(open_driver(url, tmp_path)) as driver:
        driver.check()
    with psycopg.connect(url) as connection:
        for i in range(12):
            for value in ("old", "new"):
                connection.execute(TWIN.format(f"u{i:02d}", value).encode())
    *twins, more, remedy = remarks(url, tmp_path)
    assert (len(twins), more) == (10, "more members are in several rows")
    with psycopg.connect(url) as connection:
        connection.execute(remedy.partition(": ")[2].encode())
        assert connection.execute("SELECT DISTINCT value FROM prosody").fetchall() == [("new",)]
    assert remarks(url, tmp_path) == []


def with_roles(url: str, folder: Path, *, both: bool) -> None:
    with closing(open_driver(url, folder)) as driver:
        for user in ("juliet", "nurse"):
            driver.store(user, "capulet.example", "roles", {"prosody:admin": True})
        driver.store("romeo", "montague.example", "roles", {"prosody:admin": True})
        if both:
            driver.store("nurse", "capulet.example", "account_roles", {"_default": "prosody:member"})


@pytest.mark.parametrize("url", ["sqlite:x.sqlite", "flatfile:files"])
def test_roles_that_a_prosody_13_does_not_see_are_named(url: str, tmp_path: Path) -> None:
    """Only where one has been: a host that has the old store alone is a Prosody 0.12's."""
    with_roles(url, tmp_path / "data", both=False)
    assert remarks(url, tmp_path) == []
    with_roles(url, tmp_path / "data", both=True)
    (remark,) = remarks(url, tmp_path)
    assert remark.startswith("juliet@capulet.example: has roles and no account_roles")


@pytest.mark.live
def test_roles_in_postgresql(cluster: Cluster, tmp_path: Path) -> None:
    url = cluster.new_database()
    with_roles(url, tmp_path, both=True)
    (remark,) = remarks(url, tmp_path)
    assert remark.startswith("juliet@capulet.example: has roles and no account_roles")


@contextmanager
def process(name: str, opened: Path) -> Iterator[int]:
    """A running process of that name that has a file open."""
    code = "import sys; file = open(sys.argv[1]); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([name, "-c", code, opened], executable=sys.executable, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"\n"
        yield running.pid
        running.communicate()


@pytest.mark.skipif(not beside.PROC.is_dir(), reason="there is no /proc")
def test_a_running_prosody_on_the_same_sqlite_file_is_named(tmp_path: Path) -> None:
    with closing(open_driver("sqlite:x.sqlite", tmp_path / "data")) as driver:
        driver.check()
    path, other = tmp_path / "data/x.sqlite", tmp_path / "other.sqlite"
    other.write_bytes(b"")
    with process("/usr/bin/prosody", other), process("gunicorn", path):
        assert remarks("sqlite:x.sqlite", tmp_path) == []
        with process("/usr/bin/prosody", path) as running:
            (remark,) = remarks("sqlite:x.sqlite", tmp_path)
    assert f"a running Prosody (process {running}) uses the database" in remark
    assert "PostgreSQL" in remark


def test_a_prosody_that_may_not_be_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts if it runs as the owner of the file."""
    monkeypatch.setattr(beside, "PROC", tmp_path / "proc")
    folder = tmp_path / "proc/77"
    folder.mkdir(parents=True)
    (folder / "cmdline").write_bytes(b"lua5.4\0/usr/bin/prosody\0-F\0")
    path = tmp_path / "x.sqlite"
    path.write_bytes(b"")
    monkeypatch.setattr(beside, "_has_open", raising(PermissionError))
    assert beside.prosody_with(path) == 77
    monkeypatch.setattr(beside, "NAME", "other")
    assert beside.prosody_with(path) is None


def test_a_storage_that_cannot_be_read_is_no_remark(tmp_path: Path) -> None:
    """It is more than that: the command says so, and fails (tests/gateway/test_startup.py)."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/x.sqlite").write_bytes(b"no database at all, but long enough to have a header" * 9)
    assert remarks("sqlite:x.sqlite", tmp_path) == []
