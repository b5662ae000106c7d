"""Parts of lists, and archives with other items than ours."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from drivers import Addition, ArchiveQuery, Driver
from drivers.files.format import Format
from tests.conftest import OpenDriver
from tests.drivers.contract_base import JULIET
from tests.drivers.index.archives import PLACE, all_right, ids, items_of

LIST = (*JULIET, "list")


def test_what_is_no_stanza_is_left_out(tmp_path: Path, open_driver: OpenDriver) -> None:
    flat = open_driver("flatfile:data", tmp_path)
    items = items_of(range(12))
    for n, item in enumerate(items):
        if n % 3 == 0:
            flat.list_append(*PLACE, n)
        flat.archive_extend_all([Addition(*PLACE, [item], new=True)])
    all_right(flat, items)
    assert flat.archive_delete(*PLACE, ArchiveQuery(limit=2)) == 2
    all_right(flat, items[2:])
    assert flat.list_load(*PLACE, 0, 2)[0] == 0  # type: ignore[index]


def test_items_without_ids(tmp_path: Path, open_driver: OpenDriver) -> None:
    """Their ids are their positions, also after a removal."""
    flat = open_driver("flatfile:data", tmp_path)
    path = tmp_path / "data/capulet%2eexample/archive/juliet.list"
    path.parent.mkdir(parents=True)
    record = 'item({{\n\t["name"] = "message";\n\t["attr"] = {{\n\t\t["stamp"] = "2024-01-15T10:00:{:02}Z";\n\t}};\n}});\n'
    path.write_text("".join(record.format(n) for n in range(20)))
    assert ids(flat) == [str(n) for n in range(1, 21)]
    assert ids(flat, after="18") == ["19", "20"]
    assert flat.archive_delete(*PLACE, ArchiveQuery(limit=5)) == 5
    assert ids(flat, after="13") == ["14", "15"]
    assert ids(flat, ids=("20",)) == []


def test_parts_of_a_list(driver: Driver, tmp_path: Path, form: Format) -> None:
    path = tmp_path / "data/capulet%2eexample/list" / f"juliet.{form.list}"
    values: list[Any] = [n if n % 4 else "x" * n for n in range(25)]

    def right() -> None:
        for start, stop in ((0, 3), (5, 9), (7, 8), (8, None), (20, 99), (24, 25), (25, 26), (99, 120), (3, 3)):
            assert driver.list_load(*LIST, start, stop) == values[start:stop]

    driver.list_store(*LIST, values)
    right()
    driver.list_append(*LIST, 25)
    values.append(25)
    right()
    with path.open("ab") as file:
        file.write(form.item_bytes("others") * 3)
    values += ["others"] * 3
    right()
    values = values[2:]
    driver.list_store(*LIST, values)
    right()
    new = path.with_name("new~")
    values = values[1:]
    new.write_bytes(b"".join(map(form.item_bytes, values)))
    os.replace(new, path)
    right()
    assert driver.list_load(*LIST) == values
    driver.list_store(*LIST, [])
    assert driver.list_load(*LIST, 1, 2) is None
