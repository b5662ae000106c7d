"""What is read after a change of the file, and what happens when an index is damaged or cannot be written."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from drivers import Addition, ArchiveItem, ArchiveQuery, Driver, ItemNotFound, StorageError
from drivers.files import durable, indexes, indexfile, indexrows
from drivers.files.format import Format
from tests.conftest import OpenDriver
from tests.drivers.index.archives import PLACE, STANZA, all_right, append, ids, items_of, make_blocks_small


def count_parsed(monkeypatch: pytest.MonkeyPatch, form: Format) -> list[int]:
    """Collects the positions of items whose heads are parsed."""
    parsed: list[int] = []
    original = type(form).head

    def head(self: Format, record: Any, position: int) -> Any:
        parsed.append(position)
        return original(self, record, position)

    monkeypatch.setattr(type(form), "head", head)
    return parsed


def test_only_what_is_new_is_parsed(
    driver: Driver, filled: list[ArchiveItem], path: Path, form: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = count_parsed(monkeypatch, form)
    assert ids(driver, limit=1, newest_first=True) == ["i29"]
    assert driver.archive_count(*PLACE) == 30
    assert parsed == []
    append(path, form, items_of([30, 31]))
    assert ids(driver, limit=1, newest_first=True) == ["i31"]
    assert parsed == [31, 32]
    driver.archive_append(*PLACE, STANZA, when=2000)
    assert driver.archive_count(*PLACE) == 33
    assert parsed == [31, 32, 33]


def test_a_removal_leaves_a_right_index(driver: Driver, filled: list[ArchiveItem], form: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    assert driver.archive_delete(*PLACE, ArchiveQuery(end=1010)) == 11
    parsed = count_parsed(monkeypatch, form)
    assert driver.archive_count(*PLACE) == 19
    assert ids(driver, limit=2) == ["i11", "i12"]
    assert parsed == []
    assert driver.archive_delete(*PLACE, ArchiveQuery(with_="r3@x")) == 4
    assert parsed == []
    all_right(driver, [item for item in filled[11:] if item.with_ != "r3@x"])


def test_an_archive_that_is_copied_keeps_its_index(
    driver: Driver, filled: list[ArchiveItem], path: Path, form: Format, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    os.replace(copy, path)
    parsed = count_parsed(monkeypatch, form)
    assert driver.archive_count(*PLACE) == 30
    assert ids(driver, limit=1, newest_first=True) == ["i29"]
    assert parsed == []


@pytest.mark.parametrize("then", ["nothing", "append"])
def test_an_edit_without_a_change_of_length(driver: Driver, filled: list[ArchiveItem], path: Path, form: Format, then: str) -> None:
    before = path.stat()
    with path.open("r+b") as file:
        content = file.read()
        at = content.index(b"i7")
        file.seek(at)
        file.write(b"j7")
    os.utime(path, ns=(before.st_mtime_ns + 1, before.st_mtime_ns + 1))  # on a clock with coarse steps
    if then == "append":
        append(path, form, items_of([30]))
        with pytest.raises(StorageError, match="has been changed; ask again"):
            ids(driver)
    assert ids(driver)[7] == "j7"
    assert ids(driver, ids=("j7",)) == ["j7"]
    with pytest.raises(ItemNotFound):
        ids(driver, after="i7")


@pytest.mark.parametrize(("start", "stop"), [(160, 80), (160 - 8, 80), (32, 0)], ids=["rows", "the end of a row, and one", "the end of the last row"])
def test_after_a_power_cut(
    driver: Driver, filled: list[ArchiveItem], index: Path, start: int, stop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not synced may be zeros, from any byte on, as a row lies on two pages."""
    assert indexrows.HEAD.size == 40
    with index.open("r+b") as file:
        file.seek(index.stat().st_size - start)
        file.write(bytes(start - stop))
    monkeypatch.setattr(indexes, "boot", lambda: b"another start..."[:16])
    monkeypatch.setattr(indexfile, "boot", lambda: b"another start..."[:16])
    all_right(driver, filled)


@pytest.mark.parametrize("content", [b"", b"\0" * 999, b"xmpprest", os.urandom(5000)], ids=["empty", "zeros", "short", "noise"])
def test_an_index_of_another_form(driver: Driver, filled: list[ArchiveItem], index: Path, content: bytes) -> None:
    index.write_bytes(content)
    all_right(driver, filled)


def test_an_index_that_cannot_be_written(driver: Driver, path: Path, index: Path, form: Format) -> None:
    index.parent.parent.parent.mkdir(parents=True)
    index.parent.parent.write_bytes(b"")
    items = items_of(range(20))
    driver.archive_extend_all([Addition(*PLACE, items, new=True)])
    all_right(driver, items)
    assert driver.archive_delete(*PLACE, ArchiveQuery(limit=3)) == 3
    all_right(driver, items[3:])


@pytest.mark.parametrize("fails", range(12))
def test_a_full_disk_while_an_index_is_written(
    driver: Driver, filled: list[ArchiveItem], path: Path, form: Format, fails: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = items_of(range(30, 50))
    append(path, form, new)
    left, original = [fails], os.pwrite

    def pwrite(descriptor: int, data: bytes, offset: int) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        return original(descriptor, data[: len(data) // 2 + 1], offset)

    monkeypatch.setattr(indexfile.os, "pwrite", pwrite)  # type: ignore[attr-defined]
    all_right(driver, filled + new)
    monkeypatch.undo()
    make_blocks_small(monkeypatch)
    all_right(driver, filled + new)


def test_a_read_only_storage_gets_no_index(
    scheme: str, filled: list[ArchiveItem], index: Path, tmp_path: Path, open_driver: OpenDriver
) -> None:
    index.unlink()
    other = open_driver(f"{scheme}:data", tmp_path)
    other.read_only()
    all_right(other, filled)
    assert not index.exists()


def test_an_unfinished_item_is_indexed_when_it_is_finished(driver: Driver, filled: list[ArchiveItem], path: Path, form: Format) -> None:
    (last,) = items_of([30])
    record = form.archive_bytes(last, b"")
    for cut in (1, 2, 3, 10, len(record) - 5):
        size = path.stat().st_size
        with path.open("ab") as file:
            file.write(record[:-cut])
        found = ids(driver)
        assert found in ([item.id for item in filled], [item.id for item in [*filled, last]])
        with path.open("ab") as file:
            file.write(record[-cut:])
        all_right(driver, [*filled, last])
        os.truncate(path, size)
        all_right(driver, filled)


@pytest.mark.parametrize("where", ["put", "copy_index"])
def test_a_crash_while_an_archive_is_rewritten(
    driver: Driver,
    filled: list[ArchiveItem],
    where: str,
    scheme: str,
    tmp_path: Path,
    open_driver: OpenDriver,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before the new file is in its place, and between that and its index."""

    class Killed(BaseException):
        pass

    def killed(*arguments: Any) -> None:
        raise Killed

    if where == "put":
        monkeypatch.setattr(durable, "put", killed)
    else:
        monkeypatch.setattr(indexes.Indexes, "put", killed)
    with pytest.raises(Killed):
        driver.archive_delete(*PLACE, ArchiveQuery(end=1004))
    monkeypatch.undo()
    make_blocks_small(monkeypatch)
    all_right(open_driver(f"{scheme}:data", tmp_path), filled if where == "put" else filled[5:])
