"""File drivers beside another program without locks that writes to the same files: nothing is lost."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from drivers import Addition, ArchiveItem, ArchiveQuery, Driver, StorageError, open_driver
from drivers.files import appending, durable, rewriting
from tests.drivers.contract_base import JULIET

TIMEOUT = 20.0
STANZA = "<message/>"


@pytest.fixture
def wishes(tmp_path: Path) -> Path:
    return tmp_path / "data/capulet%2eexample/wishlist/juliet.list"


def write(path: Path, data: bytes) -> None:
    """As Prosody: open, to the end, write."""
    with path.open("r+b") as file:
        file.seek(0, os.SEEK_END)
        file.write(data)


@contextmanager
def running(work: Callable[[], object]) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join(TIMEOUT)
    assert not thread.is_alive()


@pytest.mark.parametrize("change", ["append", "remove"])
def test_an_item_that_is_being_written_is_waited_for(flat: Driver, wishes: Path, change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = threading.Event()
    monkeypatch.setattr(appending, "QUIET", TIMEOUT)
    monkeypatch.setattr(appending, "PATIENCE", TIMEOUT)

    def rest(seconds: float) -> None:
        waiting.set()
        threading.Event().wait(seconds)

    monkeypatch.setattr(appending.time, "sleep", rest)  # type: ignore[attr-defined]
    flat.archive_extend(*JULIET, "wishlist", [ArchiveItem(key, 1, "", STANZA) for key in "ab"])
    write(wishes, b'item({\n\t["key"] = "theirs";\n\t["name')
    work: dict[str, Callable[[], object]] = {
        "append": lambda: flat.archive_extend_all([Addition(*JULIET, "wishlist", [ArchiveItem("ours", 3, "", STANZA)], new=True)]),
        "remove": lambda: flat.archive_delete(*JULIET, "wishlist", ArchiveQuery(ids=("a",))),
    }
    with running(work[change]):
        assert waiting.wait(TIMEOUT)
        write(wishes, b'"] = "message";\n\t["attr"] = {};\n\t["when"] = 2;\n});\n')
    expected = {"append": ["a", "b", "theirs", "ours"], "remove": ["b", "theirs"]}
    assert [item.id for item in flat.archive_find(*JULIET, "wishlist")] == expected[change]


def test_what_nobody_finishes_is_cut_off_in_the_end(flat: Driver, wishes: Path) -> None:
    flat.list_append(*JULIET, "wishlist", 1)
    write(wishes, b"item(")
    flat.list_append(*JULIET, "wishlist", 2)
    assert wishes.read_bytes() == b"item(1);\nitem(2);\n"


@pytest.mark.parametrize("beside", [b"", b'item("theirs");\n'])
def test_a_write_that_fails_takes_back_its_own_part_alone(
    flat: Driver, wishes: Path, beside: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    flat.list_append(*JULIET, "wishlist", 1)
    real, calls = os.write, []

    def fill_up(descriptor: int, data: Any) -> int:
        calls.append(1)
        if len(calls) == 1:
            return real(descriptor, bytes(data)[:4])
        write(wishes, beside)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(durable.os, "write", fill_up)  # type: ignore[attr-defined]
    with pytest.raises(StorageError, match="no space left"):
        flat.list_append(*JULIET, "wishlist", "ours")
    monkeypatch.undo()
    assert wishes.read_bytes() == b"item(1);\n" + (b"item" + beside if beside else b"")


def test_two_appends_land_behind_each_other(flat: Driver, wishes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever another program adds between our look at the end and our write."""
    flat.list_append(*JULIET, "wishlist", 1)
    original = durable.append

    def late(descriptor: int, data: bytes) -> None:
        write(wishes, b'item("theirs");\n')
        original(descriptor, data)

    monkeypatch.setattr(durable, "append", late)
    flat.list_append(*JULIET, "wishlist", 2)
    assert flat.list_load(*JULIET, "wishlist") == [1, "theirs", 2]


@pytest.fixture(params=["flatfile", "jsonfile"])
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> Driver:
    driver = open_driver(f"{request.param}:data", tmp_path)
    driver.archive_extend(*JULIET, "archive", [ArchiveItem(f"i{n}", n, "", STANZA) for n in range(6)])
    return driver


def ids(driver: Driver) -> list[str]:
    return [item.id for item in driver.archive_find(*JULIET, "archive")]


@pytest.fixture
def rewritten(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Is set when an archive has been read to be rewritten; goes on when the other one is set."""
    read, go = threading.Event(), threading.Event()
    original = rewriting.Rewriting.copy

    def slowly(*arguments: Any) -> bool:
        end = original(*arguments)
        read.set()
        assert go.wait(TIMEOUT)
        return end

    monkeypatch.setattr(rewriting.Rewriting, "copy", slowly)
    return read, go


@pytest.mark.parametrize("change", ["delete", "replace"])
def test_messages_are_kept_while_an_archive_is_rewritten(driver: Driver, rewritten: tuple[threading.Event, ...], change: str) -> None:
    read, go = rewritten

    def work() -> None:
        if change == "delete":
            assert driver.archive_delete(*JULIET, "archive", ArchiveQuery(end=3)) == 4
        else:
            driver.archive_append(*JULIET, "archive", STANZA, when=9, key="i1")

    with running(work):
        assert read.wait(TIMEOUT)
        assert driver.archive_extend_all([Addition(*JULIET, "archive", [ArchiveItem("new", 7, "", STANZA)], new=True)]) == [None]
        driver.archive_append(*JULIET, "archive", STANZA, when=8)
        assert ids(driver)[:7] == ["i0", "i1", "i2", "i3", "i4", "i5", "new"]
        go.set()
    left = ids(driver)
    assert [i for i in left if len(i) < 9] == (["i4", "i5", "new"] if change == "delete" else ["i0", "i2", "i3", "i4", "i5", "new", "i1"])
    assert len(left) == (4 if change == "delete" else 8)


def test_an_archive_that_somebody_replaces_meanwhile_is_read_again(driver: Driver, rewritten: tuple[threading.Event, ...], tmp_path: Path) -> None:
    read, go = rewritten
    (path,) = (path for path in (tmp_path / "data").rglob("juliet.*") if path.is_file())

    def work() -> None:
        assert driver.archive_delete(*JULIET, "archive", ArchiveQuery(ids=("i1",))) == 1

    with running(work):
        assert read.wait(TIMEOUT)
        content = path.read_bytes()
        other = path.with_name("other")
        other.write_bytes(content.replace(b"i5", b"j5"))
        os.replace(other, path)
        go.set()
    assert ids(driver) == ["i0", "i2", "i3", "i4", "j5"]
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_an_archive_that_is_purged_meanwhile_stays_away(driver: Driver, rewritten: tuple[threading.Event, ...]) -> None:
    read, go = rewritten
    with running(lambda: driver.archive_delete(*JULIET, "archive", ArchiveQuery(ids=("i1",)))):
        assert read.wait(TIMEOUT)
        driver.purge(*JULIET)
        go.set()
    assert ids(driver) == []


def test_replacing_without_end_is_an_error(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rewriting, "_is", lambda *_: False)
    with pytest.raises(StorageError, match="others have replaced the file 5 times"):
        driver.archive_delete(*JULIET, "archive", ArchiveQuery(ids=("i1",)))
    assert len(ids(driver)) == 6


def test_two_accounts_never_wait_for_each_other(driver: Driver, rewritten: tuple[threading.Event, ...]) -> None:
    """While the archive of one is rewritten, and its lock is held; many others, as locks might be shared by chance."""
    read, go = rewritten
    with running(lambda: driver.archive_delete(*JULIET, "archive", ArchiveQuery(ids=("i1",)))):
        assert read.wait(TIMEOUT)
        for n in range(300):
            driver.store(f"user{n}", "capulet.example", "settings", {"a": 1})
        go.set()
    held, end = threading.Event(), threading.Event()

    def hold(table: Any) -> Any:
        held.set()
        assert end.wait(TIMEOUT)
        return {"a": 1}

    with running(lambda: driver.update(*JULIET, "settings", hold)):
        assert held.wait(TIMEOUT)
        for n in range(300):
            driver.store(f"user{n}", "capulet.example", "settings", {"a": 2})
        end.set()


@pytest.mark.parametrize("scheme", ["flatfile", "jsonfile"])
def test_an_account_whose_removal_fails_halfway_is_still_there(scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise somebody could make the account again, and find what is left."""
    driver, stores = open_driver(f"{scheme}:data", tmp_path), {"accounts", *(f"store{number}" for number in range(20))}
    for store in sorted(stores):
        driver.store(*JULIET, store, {"a": 1})
    removed: list[Path] = []
    remove = durable.remove

    def failing(path: Path) -> None:
        if len(removed) == 20:
            raise StorageError("the disk refuses")
        removed.append(path)
        remove(path)

    monkeypatch.setattr(durable, "remove", failing)
    with pytest.raises(StorageError):
        driver.purge(*JULIET)
    assert list(driver.stores(*JULIET)) == [("accounts", "keyval")]
