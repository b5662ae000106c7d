"""What file drivers read of folders with many files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers import Driver
from drivers.files import tree, userpages
from drivers.files.userpages import UserPages
from tests.conftest import OpenDriver, build_app

NAMES = [f"user{n:05}" for n in range(3000)]
HOST = "capulet.example"


@pytest.fixture(params=["dat", "json"])
def many(request: pytest.FixtureRequest, tmp_path: Path, open_driver: OpenDriver) -> Driver:
    """A storage with many accounts."""
    folder = tmp_path / "data/capulet%2eexample/accounts"
    folder.mkdir(parents=True)
    for name in NAMES:
        (folder / f"{name}.{request.param}").write_text('return {["a"] = 1;};' if request.param == "dat" else '{"a": 1}')
    return open_driver(f"{'flatfile' if request.param == 'dat' else 'jsonfile'}:data", tmp_path)


class Entries:
    """Counts the entries of folders that are read."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, folder: Path) -> Any:
        return Counted(os.scandir(folder), self)


class Counted:
    def __init__(self, entries: Any, counter: Entries) -> None:
        self._entries, self._counter = entries, counter

    def __enter__(self) -> Iterator[os.DirEntry[str]]:
        for entry in self._entries.__enter__():
            self._counter.count += 1
            yield entry

    def __exit__(self, *_: object) -> None:
        self._entries.close()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Entries:
    entries = Entries()
    # only what the driver asks for
    monkeypatch.setattr(tree, "os", type("Counting", (), {"scandir": staticmethod(entries), "DirEntry": os.DirEntry}))
    return entries


def test_a_storage_opens_without_a_look_at_all_accounts(many: Driver, read: Entries) -> None:
    many.check()
    assert list(many.hosts()) == [HOST]
    assert 0 < read.count < 20
    assert len(list(many.users(HOST))) == len(NAMES) < read.count


def test_a_gateway_starts_without_a_look_at_all_accounts(many: Driver, read: Entries, tmp_path: Path) -> None:
    scheme = "flatfile" if "Flat" in type(many).__name__ else "jsonfile"
    app = build_app(tmp_path / "gateway", storage_url=f"{scheme}:{tmp_path / 'data'}")
    try:
        assert app.test_client().get("/data/settings", auth=(NAMES[0], "x")).status_code == 401
        assert read.count < 100
    finally:
        app.extensions["gateway"].stop()


def walk(driver: Driver, limit: int, meanwhile: Callable[[], object] = int) -> list[str]:
    names: list[str] = []
    while page := driver.users_page(HOST, "accounts", after=names[-1] if names else "", limit=limit):
        names += page
        meanwhile()
    return names


def test_a_walk_reads_the_folder_seldom(many: Driver, read: Entries, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(userpages, "AHEAD", 1000)
    assert walk(many, 10) == NAMES
    assert read.count <= 4 * len(NAMES)


def test_a_walk_beside_others_and_changes(many: Driver, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name that is there all the time is told once, to each."""
    monkeypatch.setattr(userpages, "AHEAD", 100)
    others = iter(range(1000))

    def meanwhile() -> None:
        number = next(others)
        many.store(f"a-{number}", HOST, "accounts", {"a": 1})
        assert many.users_page(HOST, "accounts", after=f"user{number:05}", limit=1) == [f"user{number + 1:05}"]

    assert [name for name in walk(many, 70, meanwhile) if "-" not in name] == NAMES


def test_what_is_remembered_ends() -> None:
    now, reads = [0.0], []

    def first(count: int, after: str) -> list[str]:
        reads.append(after)
        return [name for name in "abcdefgh" if name > after][:count]

    pages = UserPages(lambda: now[0])
    assert pages.page("x", "", 2, first) == ["a", "b"]
    assert pages.page("x", "b", 2, first) == ["c", "d"]
    now[0] = userpages.KEPT + 1
    assert pages.page("x", "d", 2, first) == ["e", "f"]
    assert pages.page("x", "f", 3, first) == ["g", "h"]
    assert pages.page("x", "h", 3, first) == []
    assert reads == ["", "d"]
    for walk in range(userpages.WALKS + 1):
        assert pages.page(walk, "", 2, first) == ["a", "b"]
    del reads[:]
    assert pages.page(userpages.WALKS, "b", 2, first) == ["c", "d"]
    assert pages.page(0, "b", 2, first) == ["c", "d"]
    assert reads == ["b"]
