"""Migration copies everything from one storage to another, and reports every problem."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from drivers import ArchiveItem, Driver
from drivers.migrate import MigrationStep, _plain, _plain_item, migrate
from tests.conftest import OpenDriver
from tests.drivers.contract_base import JULIET, ROMEO
from tests.drivers.postgrescluster import Cluster
from tests.raising import raising
from xmpp_rest.__main__ import main

Open = Callable[[str], Driver]
@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths on the command line are below the current folder."""
    monkeypatch.chdir(tmp_path)


URLS = {"flatfile": "flatfile:data", "jsonfile": "jsonfile:json", "sqlite": "sqlite:x.sqlite"}


@pytest.fixture
def opened(tmp_path: Path, open_driver: OpenDriver) -> Open:
    return lambda url: open_driver(url, tmp_path)


def content(driver: Driver) -> dict[Any, Any]:
    """Everything there is, comparable."""
    found: dict[Any, Any] = {}
    for place in driver.places():
        if place.sort == "archive":
            found[place] = [_plain_item(item) for item in driver.archive_find(*place[:3])]
        else:
            found[place] = _plain((driver.load if place.sort == "keyval" else driver.list_load)(*place[:3]))
    return found


def fill(driver: Driver) -> None:
    driver.store(*JULIET, "accounts", {"password": "x", "__hash": [False, {"n": 1.5}]})
    driver.list_store(*JULIET, "wishlist", [1, "two", {"three": [3]}])
    driver.store(None, "capulet.example", "hostdata", {"a": {}})
    driver.store(None, "", "everywhere", ["a"])
    items = [ArchiveItem(f"id{i}", 1000.25 + i, "r@x", f"<message><body>{i}</body></message>") for i in range(1200)]
    driver.archive_extend(*ROMEO, "archive", items)


@pytest.mark.parametrize("target", URLS)
@pytest.mark.parametrize("source", ["flatfile:prosody-data", "sqlite:prosody.sqlite"], ids=["files", "database"])
def test_a_real_servers_data(opened: Open, prosody_data: Path, prosody_database: Path, source: str, target: str) -> None:
    one, two = opened(source), opened(URLS[target])
    report = migrate(one, two)
    assert report.problems == []
    assert content(two) == content(one)
    assert sum(report.stores.values()) == report.stores["copied"] == len(content(one))


@pytest.mark.parametrize("target", URLS)
@pytest.mark.parametrize("source", URLS)
def test_there_and_back(opened: Open, source: str, target: str) -> None:
    one, two = opened(URLS[source]), opened(URLS[target].replace(":", ":copy/"))
    fill(one)
    assert migrate(one, two).stores == {"copied": 5}
    assert content(two) == content(one)
    assert migrate(two, one).stores == {"already there": 5}


@pytest.mark.live
def test_to_postgres_and_back(opened: Open, cluster: Cluster, prosody_data: Path) -> None:
    one, two, three = opened("flatfile:prosody-data"), opened(cluster.new_database()), opened("flatfile:back")
    try:
        assert migrate(one, two).problems == migrate(two, three).problems == []
        assert content(three) == content(one)
    finally:
        two.close()


def test_a_dry_run_writes_nothing(opened: Open, tmp_path: Path) -> None:
    one, two = opened("sqlite:x.sqlite"), opened("flatfile:data")
    fill(one)
    report = migrate(one, two, dry_run=True)
    assert (report.stores, report.items["to copy"]) == ({"to copy": 5}, 1200 + 2 + 3 + 1 + 1)
    assert not (tmp_path / "data").exists()
    migrate(one, two)
    assert migrate(one, two, dry_run=True).stores == {"already there": 5}


def test_an_interrupted_migration_goes_on(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = opened("sqlite:x.sqlite"), opened("flatfile:data")
    fill(one)
    monkeypatch.setattr("drivers.migrate.STORES", 2)
    with pytest.raises(KeyboardInterrupt):
        migrate(one, two, progress=raising(KeyboardInterrupt))
    two.archive_extend(*ROMEO, "archive", [item for i, item in enumerate(one.archive_find(*ROMEO, "archive")) if i < 700])
    report = migrate(one, two)
    assert report.problems == []
    assert report.stores == {"already there": 2, "copied": 3}
    assert content(two) == content(one)


def test_what_differs_is_reported_and_replaced_only_if_asked_for(opened: Open) -> None:
    one, two = opened("sqlite:x.sqlite"), opened("flatfile:data")
    fill(one)
    two.store(*JULIET, "accounts", {"password": "newer"})
    two.list_append(*JULIET, "wishlist", "other")
    two.archive_append(*ROMEO, "archive", "<message/>", when=5, key="other")
    two.store("nurse", "capulet.example", "accounts", {"password": "kept"})
    steps: list[MigrationStep] = []
    report = migrate(one, two, progress=steps.append)
    assert [step for step in steps if step.outcome == "differs"] == report.problems
    assert {step.place.store for step in report.problems} == {"accounts", "wishlist", "archive"}
    assert two.load(*JULIET, "accounts") == {"password": "newer"}
    assert migrate(one, two, overwrite=True, dry_run=True).stores == {"to copy": 3, "already there": 2}
    assert two.list_load(*JULIET, "wishlist") == ["other"]
    assert migrate(one, two, overwrite=True).stores == {"copied": 3, "already there": 2}
    assert two.load("nurse", "capulet.example", "accounts") == {"password": "kept"}
    two.purge("nurse", "capulet.example")
    assert content(two) == content(one)


def test_a_store_that_fails_does_not_stop_the_others(opened: Open, tmp_path: Path) -> None:
    one, two = opened("flatfile:data"), opened("sqlite:x.sqlite")
    fill(one)
    one.store("long" + "o" * 100, "capulet.example", "accounts", {"a": "\udcff"})  # a byte that is not UTF-8
    (tmp_path / "data/capulet%2eexample/wishlist/juliet.list").write_text("item(1);\nitem(oops);\nitem(2);\n")
    report = migrate(one, two)
    assert report.stores == {"copied": 4, "failed": 2}
    sentences = " ".join(step.sentence for step in report.problems)
    assert "not Unicode text" in sentences
    assert "juliet.list: damaged at byte 9" in sentences
    assert str(report.problems[0].place).endswith("@capulet.example: accounts") or report.problems[0].place.store == "wishlist"


@pytest.mark.parametrize("target", ["flatfile:other", "sqlite:x.sqlite"])
def test_what_is_not_a_number_arrives_as_that_or_as_null(opened: Open, target: str) -> None:
    one, two = opened("flatfile:data"), opened(target)
    one.store(*JULIET, "numbers", {"a": float("nan"), "b": [1, float("nan")]})
    assert migrate(one, two).stores == {"copied": 1}
    assert migrate(one, two).stores == {"already there": 1}


def test_a_target_that_keeps_something_else_is_noticed(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = opened("sqlite:x.sqlite"), opened("flatfile:data")
    fill(one)
    monkeypatch.setattr(two, "bulk_write", lambda contents: [None] * len(contents))
    monkeypatch.setattr(two, "archive_extend", lambda *arguments: None)
    report = migrate(one, two)
    assert {step.place.store for step in report.problems} == {"accounts", "wishlist", "hostdata", "everywhere", "archive"}
    assert all("reads back differently" in step.sentence or "read back differently" in step.sentence for step in report.problems)


@pytest.mark.parametrize("target", URLS)
def test_archives_that_are_short_or_long_or_partly_there(opened: Open, target: str) -> None:
    one, two = opened("sqlite:source.sqlite"), opened(URLS[target])
    lengths = {"none": 0, "short": 3, "limit": 100, "long": 101, "begun": 50, "complete": 7}
    items = [ArchiveItem(f"id{i}", 1000 + i / 8, "r@x", "<message/>") for i in range(101)]
    for user, length in lengths.items():
        one.archive_extend(user, "capulet.example", "archive", items[:length])
    two.archive_extend("begun", "capulet.example", "archive", items[:20])
    two.archive_extend("complete", "capulet.example", "archive", items[:7])
    assert migrate(one, two).stores == {"copied": 4, "already there": 1}
    assert content(two) == content(one)
    two.archive_append("short", "capulet.example", "archive", "<message/>", when=7)
    assert migrate(one, two).stores == {"already there": 4, "differs": 1}


def test_large_stores_make_the_batches_small(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = opened("sqlite:x.sqlite"), opened("jsonfile:data")
    for i in range(9):
        one.store(f"user{i}", "capulet.example", "roster", {f"{j}@x": {} for j in range(20)})
    sizes: list[int] = []
    write = two.bulk_write
    monkeypatch.setattr(two, "bulk_write", lambda contents: sizes.append(len(contents)) or write(contents))
    monkeypatch.setattr("drivers.migrate.STORES", 4)
    monkeypatch.setattr("drivers.migrate.MEMBERS", 40)
    assert migrate(one, two).stores == {"copied": 9}
    assert sizes == [4, 2, 2, 1]


def test_the_command(tmp_path: Path, prosody_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files, database = "flatfile:prosody-data", "sqlite:x.sqlite"
    assert main(["migrate", files, database, "--dry-run"]) == 0
    assert capsys.readouterr().out == "would copy: 39 stores, 105 items\n"
    assert main(["migrate", files, database]) == 0
    assert capsys.readouterr().out == "copied: 39 stores, 105 items\n"
    with closing(sqlite3.connect(tmp_path / "x.sqlite")) as connection, connection:
        connection.execute("UPDATE prosody SET value='x' WHERE user='juliet' AND store='accounts'")
    connection.close()
    assert main(["migrate", files, database]) == 1
    printed = capsys.readouterr()
    assert printed.out == "already there: 38 stores, 104 items\ndiffers: 1 stores, 0 items\n"
    assert printed.err == "juliet@capulet.example: accounts (keyval) differs: the target has other content\n"
    assert main(["migrate", files, database, "--overwrite"]) == 0
    (tmp_path / "nothing").mkdir()
    assert main(["migrate", "flatfile:nothing", "jsonfile:new"]) == 0
    assert capsys.readouterr().out.endswith("there is nothing to copy\n")
    assert main(["migrate", files, database, "--dry-run"]) == 0
    assert capsys.readouterr().out == "would copy: 0 stores, 0 items\nalready there: 39 stores, 105 items\n"


def test_lines_of_progress_and_quiet(tmp_path: Path, prosody_data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.progress.EVERY", 0.0)
    assert main(["migrate", "flatfile:prosody-data", "sqlite:x.sqlite"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert (lines[0].partition(",")[0], lines[-1]) == ("1 of 39 stores", "39 of 39 stores, 100 %, 0 s left")
    assert main(["migrate", "flatfile:prosody-data", "sqlite:x.sqlite", "--quiet"]) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("already there: 39 stores, 105 items\n", "")


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


@pytest.mark.parametrize("options", [[], ["--dry-run"], ["--overwrite"]])
@pytest.mark.parametrize("target", ["flatfile:new", "sqlite:new/x.sqlite", "jsonfile:new"])
@pytest.mark.parametrize("source", ["flatfile:gone", "sqlite:gone.sqlite", "jsonfile:gone", "sqlite:gone/x.sqlite", "sqlite:empty"])
def test_a_source_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str, target: str, options: list[str]) -> None:
    (tmp_path / "empty").touch()
    assert main(["migrate", source, target, *options]) == 66
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"there is no storage {source}: relative paths are below {tmp_path}" in printed.err
    assert set(snapshot(tmp_path)) == {"empty"}


@pytest.mark.parametrize("there", [False, True])
@pytest.mark.parametrize("target", URLS.values())
@pytest.mark.parametrize("source", ["flatfile:prosody-data", "sqlite:prosody.sqlite"])
def test_a_dry_run_leaves_every_byte(
    opened: Open, tmp_path: Path, prosody_data: Path, prosody_database: Path, source: str, target: str, there: bool, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    if there:
        driver = opened(target)
        driver.store(None, "other.example", "hostdata", {"a": 1})
        driver.close()
    before = snapshot(tmp_path)
    assert main(["migrate", source, target, "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("would copy: ")
    assert snapshot(tmp_path) == before
    assert main(["migrate", source, target]) == 0
    name = source.partition(":")[2]
    assert {k: v for k, v in snapshot(tmp_path).items() if k.startswith(name)} == {k: v for k, v in before.items() if k.startswith(name)}


@pytest.mark.parametrize(
    ("code", "urls"),
    [
        (64, ("nosuch:x", "sqlite:x")),
        (64, ("sqlite:x", "sqlite:x")),
        (64, ("sqlite:x", "sqlite:./x")),
        (64, ("flatfile:file", "sqlite:x")),
        (73, ("flatfile:full", "sqlite:file/x")),
    ],
)
def test_storages_that_cannot_be_opened(opened: Open, tmp_path: Path, code: int, urls: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    opened("flatfile:full").store(*JULIET, "accounts", {"a": 1})
    assert main(["migrate", *urls]) == code
    assert capsys.readouterr().err

