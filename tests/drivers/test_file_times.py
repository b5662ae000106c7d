"""Times in a list file never go backwards for Prosody's binary search, and every Prosody can read them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from drivers import ArchiveItem, ArchiveQuery, Driver
from drivers.files import luaformat
from tests.drivers import prosody13
from tests.drivers.contract_base import JULIET

NOW = 1795955210
STANZA = "<message/>"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data/capulet%2eexample/archive/juliet.list"


def whens(path: Path) -> list[str]:
    return re.findall(r'^\t\["when"\] = (.*);$', path.read_text(), re.MULTILINE)


def test_alone_or_behind_0_12_times_are_whole(flat: Driver, path: Path) -> None:
    prosody13.append(path, prosody13.record("p", NOW, "0.12 writes whole seconds"))
    for when in (NOW + 0.25, NOW + 1, NOW + 1.75):
        flat.archive_append(*JULIET, "archive", STANZA, when=when)
    assert whens(path) == [str(NOW), str(NOW), str(NOW + 1), str(NOW + 1)]
    assert [item.when for item in flat.archive_find(*JULIET, "archive")] == [NOW, NOW + 0.25, NOW + 1, NOW + 1.75]


def test_behind_a_fraction_times_keep_theirs(flat: Driver, path: Path) -> None:
    prosody13.append(path, prosody13.record("p0", NOW + 0.3, "p"))
    flat.archive_append(*JULIET, "archive", STANZA, when=NOW + 0.5, key="o0")
    prosody13.append(path, prosody13.record("p1", NOW + 0.7, "p"))
    flat.archive_extend(*JULIET, "archive", [ArchiveItem("o1", NOW + 0.9, "", STANZA), ArchiveItem("o2", NOW + 0.95, "", STANZA)])
    assert [float(when) for when in whens(path)] == [NOW + 0.3, NOW + 0.5, NOW + 0.7, NOW + 0.9, NOW + 0.95]
    assert [item.id for item in flat.archive_find(*JULIET, "archive", ArchiveQuery(start=NOW + 0.4, end=NOW + 0.7))] == ["o0", "p1"]


def test_an_item_that_is_replaced_keeps_its_fraction_too(flat: Driver, path: Path) -> None:
    prosody13.append(path, prosody13.record("p0", NOW + 0.3, "p"))
    flat.archive_append(*JULIET, "archive", STANZA, when=NOW + 0.5, key="o")
    flat.archive_append(*JULIET, "archive", STANZA, when=NOW + 0.8, key="o")
    assert [float(when) for when in whens(path)] == [NOW + 0.3, NOW + 0.8]


def test_digits_that_only_look_like_a_time(flat: Driver, path: Path) -> None:
    flat.archive_append(*JULIET, "archive", '<message><body>\n\t["when"] = 5.5;\n</body></message>', when=NOW)
    flat.archive_append(*JULIET, "archive", STANZA, when=NOW + 0.5)
    assert whens(path) == [str(NOW), str(NOW)]


def test_a_time_with_a_fraction_is_read_without_parsing(flat: Driver, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsing takes five times as long."""
    for i in range(20):
        prosody13.append(path, prosody13.record(f"p{i}", NOW + i + 0.9869585, "p"))
    parsed: list[bytes] = []
    monkeypatch.setattr(luaformat, "parse_item", lambda data, start: parsed.append(data))
    assert flat.archive_count(*JULIET, "archive", ArchiveQuery(start=NOW + 10.5)) == 10
    assert parsed == []
