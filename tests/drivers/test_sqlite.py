"""The SQLite file is a Prosody's; behaviour of the driver beyond the contract."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import drivers.sql.archive
import drivers.sqlite
from drivers import ArchiveItem, ArchiveQuery, BadStorageURL, Driver, StorageError
from tests.conftest import OpenDriver
from tests.drivers.conftest import FIXTURES, give_up
from tests.drivers.contract_base import JULIET
from tests.drivers.luadump import PROSODY, dump, run

ROWS = 'SELECT "key", "type", "value" FROM prosody WHERE host=? AND user=? AND store=? ORDER BY "key"'


@pytest.fixture
def copy(prosody_database: Path, open_driver: OpenDriver) -> Driver:
    return open_driver("sqlite:prosody.sqlite", prosody_database.parent)


def schema(path: Path) -> set[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection, connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
    connection.close()
    return {(name, " ".join(sql.replace("IF NOT EXISTS ", "").split())) for name, sql in rows}


def test_the_schema_is_prosodys(copy: Driver, tmp_path: Path, open_driver: OpenDriver) -> None:
    theirs = schema(tmp_path / "prosody.sqlite")
    copy.check()
    open_driver("sqlite:new.sqlite", tmp_path).check()
    for path in ("prosody.sqlite", "new.sqlite"):
        ours = schema(tmp_path / path)
        # Prosody makes that index itself when it starts
        assert {name for name, _ in theirs - ours} == ({"prosodyarchive_with_when"} if path == "new.sqlite" else set())
        assert all(name.startswith("xmpprest_") for name, _ in ours - theirs)


def test_a_file_of_a_former_version_gets_what_is_missing(tmp_path: Path, open_driver: OpenDriver) -> None:
    driver = open_driver("sqlite:x.sqlite", tmp_path)
    driver.store(*JULIET, "settings", {"a": 1})
    driver.close()
    complete = schema(tmp_path / "x.sqlite")
    with closing(sqlite3.connect(tmp_path / "x.sqlite")) as connection:
        connection.executescript(
            "DROP INDEX xmpprest_by_store; DROP INDEX xmpprest_archive_by_store; DROP TRIGGER xmpprest_archive_deleted;"
            "DROP TABLE xmpprest_archive; DROP TABLE xmpprest_position;"
            "CREATE INDEX xmpprest_archive_with_sort ON prosodyarchive (host, user, store, sort_id);"
        )
    driver = open_driver("sqlite:x.sqlite", tmp_path)
    assert list(driver.users(JULIET[1], "settings")) == ["juliet"]
    assert schema(tmp_path / "x.sqlite") == complete


def test_rows_are_written_as_prosody_writes_them(copy: Driver, tmp_path: Path, open_driver: OpenDriver) -> None:
    target = open_driver("sqlite:new.sqlite", tmp_path)
    theirs, ours = (sqlite3.connect(tmp_path / name) for name in ("prosody.sqlite", "new.sqlite"))
    compared = 0
    for host in copy.hosts():
        for user in copy.users(host):
            for store, _ in filter(lambda pair: pair[1] == "keyval", copy.stores(user, host)):
                target.store(user, host, store, copy.load(user, host, store))
                rows, expected = (dict(_row(*row) for row in db.execute(ROWS, (host, user, store))) for db in (ours, theirs))
                assert rows == expected
                compared += 1
    theirs.close()
    ours.close()
    assert compared == 25


def _row(key: str, kind: str, value: str) -> tuple[str, Any]:
    # JSON for text with U+0000 too: both are text to Prosody
    return key, json.loads(value) if kind == "json" else (kind, float(value)) if kind == "number" else value


def test_storing_what_is_there_writes_nothing(copy: Driver, tmp_path: Path) -> None:
    roster = copy.load(*JULIET, "roster")
    with closing(sqlite3.connect(tmp_path / "prosody.sqlite")) as connection, connection:
        before = connection.execute("SELECT rowid, * FROM prosody WHERE store='roster' AND user='juliet'").fetchall()
        copy.store(*JULIET, "roster", roster)
        copy.update(*JULIET, "roster", lambda table: {**table, "new@x": {"groups": {}}})  # type: ignore[dict-item]
        after = connection.execute("SELECT rowid, * FROM prosody WHERE store='roster' AND user='juliet'").fetchall()
    connection.close()
    unchanged = [row for row in after if row in before]
    assert len(unchanged) >= len(before) - 1  # the members with other keys are spelt in our order
    assert len(after) == len(before) + 1


def test_a_key_that_stands_there_twice_is_written_once(copy: Driver, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "prosody.sqlite")) as connection, connection:
        for value in ("dark", "light"):
            connection.execute("INSERT INTO prosody VALUES ('capulet.example', 'juliet', 'settings', 'theme', 'string', ?)", (value,))
    connection.close()
    table: Any = copy.load(*JULIET, "settings")
    copy.store(*JULIET, "settings", {"theme": "dark"})
    with closing(sqlite3.connect(tmp_path / "prosody.sqlite")) as connection, connection:
        rows = connection.execute(ROWS, ("capulet.example", "juliet", "settings")).fetchall()
    connection.close()
    assert table["theme"] == "light"
    assert rows == [("theme", "string", "dark")]


def test_times_stay_whole_seconds_for_prosody(copy: Driver, tmp_path: Path) -> None:
    item = copy.archive_append(*JULIET, "archive", "<message/>", when=1795294688.75)
    with closing(sqlite3.connect(tmp_path / "prosody.sqlite")) as connection, connection:
        query = 'SELECT "when", typeof("when"), type FROM prosodyarchive WHERE key=?'
        assert connection.execute(query, (item,)).fetchall() == [(1795294688, "integer", "xml")]
        # a server that changes the time of an item knows nothing of the fraction kept elsewhere
        connection.execute('UPDATE prosodyarchive SET "when" = 5 WHERE key=?', (item,))
    connection.close()
    (found,) = copy.archive_find(*JULIET, "archive", ArchiveQuery(ids=(item,)))
    assert found.when == 5


XML_ROW = "INSERT INTO prosody VALUES ('capulet.example', 'juliet', 'odd', 'k', ?, ?)"


def test_a_row_of_type_xml_is_an_element(copy: Driver, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "prosody.sqlite")) as connection, connection:
        connection.execute(XML_ROW, ("xml", "<vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard>"))
    connection.close()
    table: Any = copy.load(*JULIET, "odd")
    assert (table["k"]["name"], table["k"]["attr"]) == ("vCard", {"xmlns": "vcard-temp"})


def test_a_server_that_writes_beside_us_is_seen_and_sees(copy: Driver, tmp_path: Path) -> None:
    copy.check()
    server = sqlite3.connect(tmp_path / "prosody.sqlite", timeout=1)
    with server:
        server.execute("UPDATE prosody SET value='x' WHERE user='juliet' AND store='accounts'")
    assert copy.load(*JULIET, "accounts") == {"password": "x"}
    copy.store(*JULIET, "accounts", {"password": "y"})
    assert server.execute("SELECT value FROM prosody WHERE user='juliet' AND store='accounts'").fetchall() == [("y",)]
    server.close()


def test_waiting_for_another_writer_ends(copy: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy.check()
    monkeypatch.setattr(drivers.sqlite, "BUSY", 0.2)
    server = sqlite3.connect(tmp_path / "prosody.sqlite", isolation_level=None)
    server.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    with pytest.raises(StorageError, match="another process has held the database"):
        copy.store(*JULIET, "settings", {"a": 1})
    assert time.monotonic() - began < 15, "BUSY is 30 s by itself"
    server.execute("ROLLBACK")
    server.close()
    copy.store(*JULIET, "settings", {"a": 1})
    assert copy.load(*JULIET, "settings") == {"a": 1}


@pytest.mark.parametrize("content", [b"no database at all, but long enough to have a header" * 9, b"SQLite format 3\0" + b"x" * 500], ids=["text", "torn"])
def test_a_file_that_is_no_database(tmp_path: Path, content: bytes, open_driver: OpenDriver) -> None:
    (tmp_path / "x.sqlite").write_bytes(content)
    driver = open_driver("sqlite:x.sqlite", tmp_path)
    with pytest.raises(StorageError, match=r"x\.sqlite: the (file is not a SQLite database|database is damaged)"):
        driver.load(*JULIET, "settings")
    assert (tmp_path / "x.sqlite").read_bytes() == content


@pytest.mark.parametrize("url", ["sqlite:", "sqlite::memory:", "sqlite:file:x?mode=memory", "sqlite:folder"])
def test_what_names_no_file(tmp_path: Path, url: str, open_driver: OpenDriver) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(BadStorageURL):
        open_driver(url, tmp_path)


def test_a_new_file_is_not_for_everybody(tmp_path: Path, open_driver: OpenDriver) -> None:
    driver = open_driver("sqlite:below/x.sqlite", tmp_path)
    driver.store(*JULIET, "accounts", {"password": "x"})
    modes = {path.name: path.stat().st_mode & 0o007 for path in [tmp_path / "below", *(tmp_path / "below").iterdir()]}
    assert set(modes.values()) == {0}, modes
    driver.close()


def test_a_closed_driver_says_so(copy: Driver) -> None:
    copy.close()
    with pytest.raises(StorageError, match="closed"):
        copy.load(*JULIET, "settings")


JSON = PROSODY + """
local json = require "util.json"
for line in io.lines(arg[1]) do print(dump(json.decode(line))) end
"""


@pytest.mark.live
def test_prosody_reads_our_json(lua: str, tmp_path: Path, open_driver: OpenDriver) -> None:
    if not Path("/usr/lib/prosody/util/json.lua").exists():
        give_up("Prosody is not installed (on Debian: apt-get install prosody)")
    values: list[Any] = [
        {"a": [1, 2.5, "ü♥\U0001d11e\n\"\\\x00\x7f"], "b": {}, "inf": float("inf"), "down": [float("-inf")]},
        {"__array": ["x", {"y": True}], "__hash": [False, {"version": 6}, 10, "ten"], "name": "n"},
        [1e-7, 0.1, 1e300, -(2**62)],
    ]
    open_driver("sqlite:x.sqlite", tmp_path).list_store(*JULIET, "list", values)
    with closing(sqlite3.connect(tmp_path / "x.sqlite")) as connection, connection:
        lines = [row[0] for row in connection.execute("SELECT value FROM xmpprest_list ORDER BY id")]
    connection.close()
    (tmp_path / "lines").write_text("\n".join(lines))
    assert run(lua, JSON, tmp_path / "lines") == [dump(value) for value in values]


def test_the_fixture_is_left_alone() -> None:
    with closing(sqlite3.connect(f"file:{FIXTURES / 'prosody.sqlite'}?mode=ro", uri=True)) as connection, connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()


def test_without_a_log_a_commit_waits_for_readers(tmp_path: Path, open_driver: OpenDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_driver("sqlite:gateway.sqlite", tmp_path)
    first.check()
    first.close()
    other = sqlite3.connect(tmp_path / "gateway.sqlite", isolation_level=None, check_same_thread=False)
    assert other.execute("PRAGMA journal_mode=DELETE").fetchone() == ("delete",)
    other.execute("BEGIN")
    other.execute("SELECT * FROM prosody").fetchall()  # while it reads, the mode cannot be changed
    driver = open_driver("sqlite:gateway.sqlite", tmp_path)
    ending = threading.Event()

    def end() -> None:
        ending.set()
        other.execute("ROLLBACK")

    later = threading.Timer(0.5, end)
    try:
        with monkeypatch.context() as hasty:
            hasty.setattr(drivers.sqlite, "BUSY", 0.2)  # for the log, which is not to be had
            driver.check()
        later.start()
        driver.store(*JULIET, "settings", {"a": 1})
        assert ending.is_set()
        assert other.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert driver.load(*JULIET, "settings") == {"a": 1}
    finally:
        later.join()
        driver.close()
        other.close()


@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("limit", [3, 700])
def test_a_page_is_full_beside_items_that_cannot_be_read(tmp_path: Path, open_driver: OpenDriver, limit: int, newest_first: bool) -> None:
    """SQLite stores values of any type, which another program may have written: who takes a short page for the last one misses nothing."""
    driver = open_driver("sqlite:x.sqlite", tmp_path)
    driver.archive_extend(*JULIET, "archive", [ArchiveItem(str(n), float(n), "", "<message/>") for n in range(1500)])
    with closing(sqlite3.connect(tmp_path / "x.sqlite")) as connection, connection:
        connection.execute("UPDATE prosodyarchive SET \"when\"='odd' WHERE \"when\" BETWEEN 2 AND 5 OR \"when\" BETWEEN 1100 AND 1110")
        connection.execute("UPDATE prosodyarchive SET value=x'00ff' WHERE \"when\" IN (1496, 1498)")
    good = [str(n) for n in range(1500) if not (2 <= n <= 5 or 1100 <= n <= 1110 or n in (1496, 1498))]
    wanted, found = good[::-1] if newest_first else good, list[str]()
    query = ArchiveQuery(limit=limit, newest_first=newest_first)
    while page := [item.id for item in driver.archive_find(*JULIET, "archive", query)]:
        assert len(page) == limit or page[-1] == wanted[-1]
        found += page
        query = replace(query, before=page[-1]) if newest_first else replace(query, after=page[-1])
    assert found == wanted


def test_a_page_is_full_although_items_are_removed_while_it_is_read(tmp_path: Path, open_driver: OpenDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader takes a short page for the last one."""
    driver, read = open_driver("sqlite:pruned.sqlite", tmp_path), drivers.sql.archive.items
    driver.archive_extend(*JULIET, "archive", [ArchiveItem(f"i{n}", float(n), "", "<message/>") for n in range(20)])
    before = ArchiveQuery(end=2.0)

    def pruned(session: Any, ids: list[int]) -> list[ArchiveItem]:
        if driver.archive_count(*JULIET, "archive", before):
            driver.archive_delete(*JULIET, "archive", before)
        return read(session, ids)

    monkeypatch.setattr("drivers.sql.archive.items", pruned)
    assert [item.id for item in driver.archive_find(*JULIET, "archive", ArchiveQuery(limit=10))] == [f"i{n}" for n in range(3, 13)]
