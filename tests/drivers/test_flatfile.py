"""Flat files are Prosody's, byte for byte and both ways, and are repaired after a crash."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from drivers import ArchiveQuery, Driver, StorageError
from drivers.files.paths import decoded, encoded, encoded_store
from drivers.lua import parse, serialise
from drivers.values import entries_of
from tests.conftest import OpenDriver
from tests.drivers.conftest import FIXTURES
from tests.drivers.contract_archive import same
from tests.drivers.contract_base import JULIET
from tests.drivers.luadump import PROSODY, dump, run

ITEMS: list[Any] = [{"n": 1, "inf": float("inf")}, "just a string", 42, {"text": 'item("x");\n', "__array": [1, [2]]}]
PATHS = {
    "count.paris": "count%2eparis",
    "a_b": "a%5fb",
    "jürgen": "j%c3%bcrgen",
    "d\\27artagnan_x-1": "d%5c27artagnan%5fx%2d1",
    "..": "%2e%2e",
    "a/b": "a%2fb",
}


@pytest.fixture
def flat(tmp_path: Path, open_driver: OpenDriver) -> Driver:
    return open_driver("flatfile:data", tmp_path)


@pytest.fixture
def list_file(tmp_path: Path) -> Path:
    return tmp_path / "data/capulet%2eexample/wishlist/juliet.list"


@pytest.mark.parametrize(("name", "path"), PATHS.items())
def test_names_become_paths(name: str, path: str) -> None:
    assert encoded(name) == path
    assert decoded(path) == name
    assert decoded(path.replace("%c3%bc", "%C3%BC")) == name


def test_store_names_keep_their_underscores() -> None:
    assert encoded_store("pep_urn:x") == "pep_urn%3ax"
    assert decoded("pep_urn%3ax") == "pep_urn:x"
    assert decoded("juliet.dat~") is None
    assert decoded("%zz") is None
    assert decoded("%ff") is None


def test_where_files_are(flat: Driver, tmp_path: Path) -> None:
    flat.store("count.paris", "capulet.example", "pep_urn:x", {"a": 1})
    flat.store(None, "capulet.example", "host_data", {"a": 1})
    flat.store(None, "", "everywhere", {"a": 1})
    flat.list_append("a_b", "capulet.example", "wishlist", 1)
    files = sorted(str(path.relative_to(tmp_path / "data")) for path in (tmp_path / "data").glob("[!.]*/**/*") if path.is_file())
    assert files == [
        "_global/everywhere.dat",
        "capulet%2eexample/host_data.dat",
        "capulet%2eexample/pep_urn%3ax/count%2eparis.dat",
        "capulet%2eexample/wishlist/a%5fb.list",
    ]
    folder = tmp_path / "data/capulet%2eexample/wishlist"
    assert (folder.stat().st_mode & 0o777, (folder / "a%5fb.list").stat().st_mode & 0o777) == (0o750, 0o640)


def test_what_files_contain(flat: Driver, list_file: Path) -> None:
    flat.store(*JULIET, "wishlist", {"a": [1], "b": {}})
    assert list_file.with_suffix(".dat").read_text() == 'return {\n\t["a"] = {\n\t\t1;\n\t};\n\t["b"] = {};\n};\n'
    flat.list_store(*JULIET, "wishlist", [{"a": 1}, "x", {}])
    assert list_file.read_text() == 'item({\n\t["a"] = 1;\n});\nitem("x");\nitem({});\n'
    flat.archive_append(*JULIET, "archive", "<message id='1'><body>x</body></message>", when=1705312800.25, with_="r@x", key="k")
    assert list_file.parents[1].joinpath("archive/juliet.list").read_text() == (
        'item({\n\t{\n\t\t"x";\n\t\t["name"] = "body";\n\t\t["attr"] = {};\n\t};\n\t["name"] = "message";\n'
        '\t["attr"] = {\n\t\t["id"] = "1";\n\t\t["stamp"] = "2024-01-15T10:00:00.25Z";\n\t};\n'
        '\t["key"] = "k";\n\t["when"] = 1705312800;\n\t["with"] = "r@x";\n});\n'
    )


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("prosody-data/*/*/*.list")), ids=lambda p: "/".join(p.parts[-3:]))
def test_a_servers_list_is_written_as_the_server_wrote_it(path: Path, tmp_path: Path, open_driver: OpenDriver) -> None:
    source, target = open_driver(f"flatfile:{FIXTURES}/prosody-data", tmp_path), open_driver("flatfile:copy", tmp_path)
    user, store, host = (str(decoded(name)) for name in (path.stem, path.parts[-2], path.parts[-3]))
    for item in source.archive_find(user, host, store):
        target.archive_append(user, host, store, item.stanza, when=item.when, with_=item.with_, key=item.id)
    if store == "wishlist":
        target.list_store(user, host, store, source.list_load(user, host, store) or [])
    written = tmp_path / "copy" / Path(*path.parts[-3:])
    assert sorted(written.read_text().splitlines()) == sorted(path.read_text("ascii").splitlines())


ODD = r"""-- written by hand
item{ 1, 'two' } item "three" -- not four
item( [[five
item(6);
]] )
   item({ name = "message", attr = { stamp = "2024-01-15T10:00:00Z", stamp_legacy = "x", ["urn:x|a"] = "1", ["urn:y\1b"] = "2" },
   { name = "body", attr = {}, "text" } });
item({ name = 'message', attr = {}, when = 5.5, key = "--k--", ["with"] = "r@x" })
item(7)"""
ODD_ITEMS = [[1, "two"], "three", "five\nitem(6);\n"]


def test_a_list_written_by_hand(flat: Driver, list_file: Path) -> None:
    list_file.parent.mkdir(parents=True)
    list_file.write_text(ODD)
    items: Any = flat.list_load(*JULIET, "wishlist")
    assert [*items[:3], items[5]] == [*ODD_ITEMS, 7]
    legacy, new = flat.archive_find(*JULIET, "wishlist")
    assert (legacy.id, legacy.when, legacy.with_) == ("4", 1705312800, "")
    assert same(legacy.stanza, "<message xmlns:p='urn:x' xmlns:q='urn:y' p:a='1' q:b='2'><body>text</body></message>")
    assert (new.id, new.when, new.with_, new.stanza) == ("--k--", 5.5, "r@x", "<message/>")
    flat.list_append(*JULIET, "wishlist", 8)
    assert list_file.read_text() == ODD + "\nitem(8);\n"
    assert flat.archive_delete(*JULIET, "wishlist", ArchiveQuery(ids=("4",))) == 1
    items = flat.list_load(*JULIET, "wishlist")
    assert [*items[:3], *items[4:]] == [*ODD_ITEMS, 7, 8]


def leave(path: Path, content: bytes) -> None:
    """A file as a crash left it some time ago."""
    path.write_bytes(content)
    os.utime(path, (0, 0))


def test_an_unfinished_item_is_not_read_and_the_next_append_removes_it(flat: Driver, list_file: Path) -> None:
    for last in [*ITEMS, "x" * 9000]:
        flat.list_store(*JULIET, "wishlist", ITEMS)
        good = list_file.read_bytes()
        record = f"item({serialise(last)});\n".encode()
        for cut in {*range(min(len(record), 120)), len(record) - 3, len(record) - 2, len(record) - 1}:
            for torn in (record[:cut], record[:cut] + b"\0" * 7):
                leave(list_file, good + torn)
                # without its semicolon or line break an item is whole, and may have been written, though not acknowledged
                whole = [last] if cut >= len(record) - 2 + torn.endswith(b"\0") else []
                assert flat.list_load(*JULIET, "wishlist") == ITEMS + whole, torn
                flat.list_append(*JULIET, "wishlist", "next")
                assert flat.list_load(*JULIET, "wishlist") == [*ITEMS, *whole, "next"], torn
                assert b"\0" not in list_file.read_bytes()


def test_a_list_that_is_all_torn(flat: Driver, list_file: Path) -> None:
    flat.list_append(*JULIET, "wishlist", 1)
    for content in (b"", b"item(", b"\0\0\0", b"\n\n", b"-- nothing"):
        leave(list_file, content)
        assert flat.list_load(*JULIET, "wishlist") is None
        flat.list_append(*JULIET, "wishlist", 2)
        assert flat.list_load(*JULIET, "wishlist") == [2]


@pytest.mark.parametrize("damage", [b'item({\n\t["a"] = "x', b"item(oops);\n", b"\0\0\0\0", b"item({\n\t1;\n"], ids=repr)
def test_damage_before_other_items_is_an_error_and_nothing_is_touched(flat: Driver, list_file: Path, damage: bytes) -> None:
    flat.list_store(*JULIET, "wishlist", [1, 2])
    start = list_file.read_bytes()
    content = start + damage + b'item("kept");\n'
    list_file.write_bytes(content)
    with pytest.raises(StorageError, match=f"juliet.list: damaged at byte {len(start)}"):
        flat.list_load(*JULIET, "wishlist")
    flat.list_append(*JULIET, "wishlist", "new")
    assert list_file.read_bytes() == content + b'item("new");\n'
    for call in (flat.archive_find, flat.archive_delete):
        with pytest.raises(StorageError, match="damaged"):
            call(*JULIET, "wishlist", ArchiveQuery(limit=1, ids=("x",)))
    assert list_file.read_bytes() == content + b'item("new");\n'


@pytest.mark.parametrize("content", [b"return os", b"return 5", b"{}", b"return {", b"\0", b"os.exit()"], ids=repr)
def test_a_damaged_table_is_an_error(flat: Driver, list_file: Path, content: bytes) -> None:
    flat.store(*JULIET, "wishlist", {"a": 1})
    list_file.with_suffix(".dat").write_bytes(content)
    with pytest.raises(StorageError, match="juliet.dat"):
        flat.load(*JULIET, "wishlist")
    with pytest.raises(StorageError, match="juliet.dat"):
        flat.update(*JULIET, "wishlist", lambda _: {"b": 1})
    assert list_file.with_suffix(".dat").read_bytes() == content
    flat.store(*JULIET, "wishlist", {"b": 1})
    assert flat.load(*JULIET, "wishlist") == {"b": 1}


def test_bytes_that_are_no_text_survive(flat: Driver, list_file: Path) -> None:
    flat.store(*JULIET, "wishlist", {"a": 1})
    list_file.with_suffix(".dat").write_text('return {\n\t["key"] = "\\255\\000\\128";\n};\n')
    flat.update(*JULIET, "wishlist", lambda table: table)
    assert list_file.with_suffix(".dat").read_text() == 'return {\n\t["key"] = "\\255\\000\\128";\n};\n'


def test_scratch_files_and_strangers_are_no_content(flat: Driver, tmp_path: Path) -> None:
    flat.store(*JULIET, "wishlist", {"a": 1})
    folder = tmp_path / "data/capulet%2eexample/wishlist"
    for name in ("romeo.dat~", ".dat", "tybalt.bin", "a.b.dat", "x"):
        (folder / name).write_text("return {1}")
    (tmp_path / "data/prosody.pid").write_text("1")
    (tmp_path / "data/certs").mkdir()
    (tmp_path / "data/nurse.example").mkdir()
    assert list(flat.users("capulet.example")) == ["juliet"]
    assert list(flat.hosts()) == ["capulet.example"]
    assert list(flat.stores(*JULIET)) == [("wishlist", "keyval")]


def test_a_leftover_scratch_file_is_in_nobodys_way(flat: Driver, list_file: Path) -> None:
    flat.store(*JULIET, "wishlist", {"a": 1})
    scratch, prosodys = list_file.with_name("juliet.dat.new"), list_file.with_name("juliet.dat~")
    for path in (scratch, prosodys):
        path.write_text("return { half")
    assert flat.load(*JULIET, "wishlist") == {"a": 1}
    flat.store(*JULIET, "wishlist", {"a": 2})
    assert not scratch.exists()
    assert prosodys.read_text() == "return { half"  # a running Prosody may be about to rename it


def test_a_symbolic_link_is_not_followed(flat: Driver, list_file: Path, tmp_path: Path) -> None:
    flat.list_append(*JULIET, "wishlist", 1)
    (tmp_path / "secret").write_text("")
    for name in ("romeo.list", "romeo.dat.new"):
        list_file.with_name(name).symlink_to(tmp_path / "secret")
    with pytest.raises(StorageError, match="symbolic link"):
        flat.list_append("romeo", "capulet.example", "wishlist", 1)
    with pytest.raises(StorageError, match="symbolic link"):
        flat.store("romeo", "capulet.example", "wishlist", {"a": 1})
    assert (tmp_path / "secret").read_text() == ""


DATAMANAGER = PROSODY + """
local dm = require "util.datamanager"
dm.set_data_path(arg[1])
"""
READS = DATAMANAGER + """
for user in dm.users("capulet.example", "settings") do
  print(dump(user), dump(dm.load(user, "capulet.example", "settings")), dump(dm.list_load(user, "capulet.example", "settings")))
end
"""
WRITES = DATAMANAGER + """
local user = "j\\195\\188rgen_x"
dm.store(user, "capulet.example", "settings", { 1, "two", x = { [false] = { version = 6 } }, f = 0.1, inf = 1/0, s = "\\255\\0\\n" })
dm.list_append(user, "capulet.example", "settings", { a = "item(1);\\n" })
dm.list_append(user, "capulet.example", "settings", "two")
dm.list_append("romeo", "capulet.example", "settings", 3)
dm.store(nil, "capulet.example", "host_store", { a = 1 })
dm.store("juliet", nil, "no_host", { a = 1 })
"""


def datamanager_or_skip() -> None:
    from tests.drivers.conftest import give_up

    if not Path("/usr/lib/prosody/util/datamanager.lua").exists():
        give_up("Prosody is not installed (on Debian: apt-get install prosody)")


@pytest.mark.live
def test_prosody_reads_our_files(flat: Driver, lua: str, tmp_path: Path) -> None:
    datamanager_or_skip()
    users = {user: {"by": user, "f": 0.1, "__array": [1, {}], "__hash": [False, {"x": True}]} for user in PATHS}
    for user, table in users.items():
        flat.store(user, "capulet.example", "settings", table)
        flat.list_store(user, "capulet.example", "settings", ITEMS)
    lines = run(lua, READS, tmp_path / "data", cwd=tmp_path)
    assert sorted(lines) == sorted("\t".join(map(dump, (user, table, ITEMS))) for user, table in users.items())


@pytest.mark.parametrize("value", ["2.5", "{ {}, 1 }", "{ 1 }", '"x"', "true"])
@pytest.mark.parametrize("name", ["__array", "__hash"])
def test_members_that_only_look_like_ours_are_members(flat: Driver, tmp_path: Path, name: str, value: str) -> None:
    path = tmp_path / "data/capulet%2eexample/settings/juliet.dat"
    path.parent.mkdir(parents=True)
    path.write_text(f'return {{ ["{name}"] = {value}, a = 1 }};')
    table = flat.load("juliet", "capulet.example", "settings")
    assert isinstance(table, dict)
    assert table["a"] == 1
    assert table[name] == parse(value)
    assert dict(entries_of(table))["a"] == 1


@pytest.mark.live
def test_we_read_prosodys_files(flat: Driver, lua: str, tmp_path: Path) -> None:
    datamanager_or_skip()
    (tmp_path / "data").mkdir()
    run(lua, WRITES, tmp_path / "data", cwd=tmp_path)
    user = ("jürgen_x", "capulet.example", "settings")
    assert flat.load(*user) == {
        "x": {"__hash": [False, {"version": 6}]},
        "f": 0.1,
        "inf": float("inf"),
        "s": "\udcff\0\n",
        "__array": [1, "two"],
    }
    assert flat.list_load(*user) == [{"a": "item(1);\n"}, "two"]
    assert sorted(flat.users("capulet.example")) == ["jürgen_x", "romeo"]
    assert sorted(flat.hosts()) == ["", "capulet.example"]
    assert flat.load(None, "capulet.example", "host_store") == {"a": 1}
    assert flat.load("juliet", "", "no_host") == {"a": 1}
    flat.list_append(*user, "three")
    assert run(lua, READS, tmp_path / "data", cwd=tmp_path)[0].endswith(dump([{"a": "item(1);\n"}, "two", "three"]))
