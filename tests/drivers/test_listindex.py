"""A Prosody 13 on the same files sees what was written to its lists, despite its index of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers import Addition, ArchiveItem, ArchiveQuery, Driver, open_driver
from drivers.files import durable
from drivers.migrate import migrate
from tests.drivers import prosody13
from tests.drivers.contract_base import JULIET

NOW = 1795955210
STANZA = "<message><body>o</body></message>"
GroupedChange = Callable[[Driver], object]


def item(key: str, when: float = NOW + 9) -> ArchiveItem:
    return ArchiveItem(key, when, "r@x", STANZA)


ARCHIVE: dict[str, tuple[GroupedChange, list[str]]] = {
    "append": (lambda d: d.archive_append(*JULIET, "archive", STANZA, when=NOW + 9, key="o"), ["p0", "p1", "p2", "o"]),
    "append, fresh": (lambda d: d.archive_extend_all([Addition(*JULIET, "archive", [item("o")], new=True)]), ["p0", "p1", "p2", "o"]),
    "extend": (lambda d: d.archive_extend(*JULIET, "archive", [item("o"), item("q")]), ["p0", "p1", "p2", "o", "q"]),
    "replace one": (lambda d: d.archive_append(*JULIET, "archive", STANZA, when=NOW + 9, key="p1"), ["p0", "p2", "p1"]),
    "remove one": (lambda d: d.archive_delete(*JULIET, "archive", ArchiveQuery(ids=("p1",))), ["p0", "p2"]),
    "remove the oldest": (lambda d: d.archive_delete(*JULIET, "archive", ArchiveQuery(limit=1)), ["p1", "p2"]),
    "remove all": (lambda d: d.archive_delete(*JULIET, "archive"), []),
    "replace the list": (lambda d: d.list_store(*JULIET, "archive", [{"key": "n"}]), ["n"]),
    "empty the list": (lambda d: d.list_store(*JULIET, "archive", []), []),
    "append a value": (lambda d: d.list_append(*JULIET, "archive", {"key": "v"}), ["p0", "p1", "p2", "v"]),
    "update the list": (lambda d: d.list_update(*JULIET, "archive", lambda items: [{"key": "u"}]), ["u"]),
    "purge": (lambda d: d.purge(*JULIET), []),
}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive as a Prosody 13 has left it, with its index."""
    path = tmp_path / "data/capulet%2eexample/archive/juliet.list"
    for i in range(3):
        prosody13.append(path, prosody13.record(f"p{i}", NOW + i, f"longer and longer {'x' * i}"))
    return path


def keys(path: Path) -> list[str]:
    """The ids of what 13 sees."""
    return [piece.split(b'["key"] = "')[1].split(b'"')[0].decode() for piece in prosody13.items(path)]


@pytest.mark.parametrize("change", ARCHIVE)
def test_13_sees_every_change_and_goes_on(flat: Driver, archive: Path, change: str) -> None:
    do, expected = ARCHIVE[change]
    assert keys(archive) == ["p0", "p1", "p2"]
    do(flat)
    assert not prosody13.index_of(archive).exists()
    assert keys(archive) == expected
    prosody13.append(archive, prosody13.record("p9", NOW + 20, "p9"))
    do(flat)
    prosody13.append(archive, prosody13.record("p10", NOW + 21, "p10"))
    assert keys(archive)[-1:] == ["p10"]
    assert archive.read_bytes().count(b"item(") == len(keys(archive))


@pytest.mark.parametrize("change", ARCHIVE)
def test_an_index_that_13_makes_meanwhile_goes_too(
    flat: Driver, archive: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A running one may be asked for its archive just before the list changes."""
    for name in ("append", "put", "remove"):
        original = getattr(durable, name)

        def at_the_worst_time(*arguments: object, original: Callable[..., object] = original) -> object:
            assert not prosody13.index_of(archive).exists()
            if archive.exists():
                prosody13.build_index(archive)
            return original(*arguments)

        monkeypatch.setattr(durable, name, at_the_worst_time)
    do, expected = ARCHIVE[change]
    do(flat)
    assert keys(archive) == expected


def test_the_removal_is_on_the_disk_before_the_list_changes(flat: Driver, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []
    monkeypatch.setattr(durable, "sync_folder", lambda path: sizes.append(archive.stat().st_size) if path == archive.parent else None)
    before = archive.stat().st_size
    for _ in range(2):
        flat.archive_append(*JULIET, "archive", STANZA, when=NOW + 9)
    assert sizes == [before]  # and where there is no index it costs nothing


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.archive_delete(*JULIET, "archive"),
        lambda d: d.list_store(*JULIET, "archive", []),
        lambda d: d.list_update(*JULIET, "archive", lambda items: None),
        lambda d: d.purge(*JULIET),
        lambda d: d.archive_append(*JULIET, "archive", STANZA, when=NOW),
    ],
)
def test_an_index_without_a_list_goes_with_every_change(flat: Driver, archive: Path, change: GroupedChange) -> None:
    archive.unlink()
    change(flat)
    assert not prosody13.index_of(archive).exists()


def test_the_hosts_own_list_and_other_stores_of_the_user(flat: Driver, tmp_path: Path) -> None:
    host, pep = tmp_path / "data/capulet%2eexample/cron.list", tmp_path / "data/capulet%2eexample/pep_x/juliet.list"
    for path in (host, pep):
        prosody13.append(path, b"item(1);\n")
    flat.list_append(None, "capulet.example", "cron", 2)
    flat.list_append(*JULIET, "pep_x", 2)
    assert prosody13.items(host) == prosody13.items(pep) == [b"item(1);\n", b"item(2);\n"]
    flat.purge(*JULIET)
    assert [path.name for path in pep.parent.iterdir()] == []
    assert prosody13.index_of(host).exists()


def test_an_index_is_no_content(flat: Driver, archive: Path, tmp_path: Path) -> None:
    alone = tmp_path / "data/nurse%2eexample/archive/nurse.lidx"
    alone.parent.mkdir(parents=True)
    prosody13.index_of(archive).with_name("romeo.lidx").write_bytes(b"x" * 16)
    alone.write_bytes(b"x" * 16)
    assert list(flat.hosts()) == ["capulet.example"]
    assert list(flat.users("capulet.example")) == list(flat.users("capulet.example", "archive")) == ["juliet"]
    assert list(flat.stores(*JULIET)) == [("archive", "archive")]
    assert list(flat.stores("romeo", "capulet.example")) == []
    assert migrate(flat, open_driver("flatfile:copy", tmp_path)).stores == {"copied": 1}
    assert list((tmp_path / "copy").rglob("*.lidx")) == []


def test_migrating_over_an_archive_of_13(flat: Driver, archive: Path, tmp_path: Path) -> None:
    source = open_driver("flatfile:source", tmp_path)
    source.archive_extend(*JULIET, "archive", [item("s0"), item("s1")])
    assert migrate(source, flat, overwrite=True).stores == {"copied": 1}
    assert keys(archive) == ["s0", "s1"]


def test_reading_leaves_a_right_index_alone(flat: Driver, archive: Path) -> None:
    index = prosody13.index_of(archive).read_bytes()
    assert [found.id for found in flat.archive_find(*JULIET, "archive")] == ["p0", "p1", "p2"]
    assert flat.archive_count(*JULIET, "archive") == 3
    assert len(flat.list_load(*JULIET, "archive") or []) == 3
    assert prosody13.index_of(archive).read_bytes() == index


@pytest.mark.parametrize("read", ["archive_find", "archive_count", "list_load"])
@pytest.mark.parametrize("wrong", ["longer list", "shorter list", "magic alone", "cut off", "empty"])
def test_reading_removes_a_wrong_index(flat: Driver, archive: Path, read: str, wrong: str) -> None:
    index = prosody13.index_of(archive)
    if wrong == "longer list":
        with archive.open("ab") as file:
            file.write(b"item(1);\n")  # by 0.12, or by a gateway that knew nothing of indexes
    elif wrong == "shorter list":
        archive.write_bytes(archive.read_bytes()[: archive.stat().st_size * 2 // 3].rpartition(b"item(")[0])
    else:
        index.write_bytes(index.read_bytes()[: {"magic alone": 8, "cut off": 20, "empty": 0}[wrong]])
    getattr(flat, read)(*JULIET, "archive")
    assert not index.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_reading_where_nothing_may_be_written(flat: Driver, archive: Path) -> None:
    archive.write_bytes(archive.read_bytes() + b"item(1);\n")
    archive.parent.chmod(0o500)
    assert flat.archive_count(*JULIET, "archive") == 3
    archive.parent.chmod(0o700)


def test_other_formats_have_none(tmp_path: Path) -> None:
    driver = open_driver("jsonfile:data", tmp_path)
    driver.archive_append(*JULIET, "archive", STANZA, when=NOW)
    stranger = tmp_path / "data/capulet%2eexample/archive/juliet.archive.lidx"
    stranger.write_bytes(b"")
    driver.archive_append(*JULIET, "archive", STANZA, when=NOW)
    assert stranger.exists()
