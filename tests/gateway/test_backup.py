"""Backups have everything, and a restored gateway goes on from them (gateway/backup.py, gateway/restore.py, decision 0045)."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import os
import sqlite3
import stat
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from drivers import ArchiveItem, ArchiveQuery, Driver, open_driver
from tests.conftest import DOMAIN, PASSWORD
from xmpp_rest.cluster.draining import DrainMark
from xmpp_rest.cluster.identity import identify
from xmpp_rest.config.load import load_settings
from xmpp_rest.config.table import Settings
from xmpp_rest.gateway import backup, backup_file, restore
from xmpp_rest.gateway.backup import Backup
from xmpp_rest.gateway.backup_file import Manifest, checked, is_safe
from xmpp_rest.gateway.exit_codes import CannotStart, Exit
from xmpp_rest.gateway.gateway import Gateway
from xmpp_rest.link.journal import Journal
from xmpp_rest.protocol.jid import parse_jid

JULIET = parse_jid(f"juliet@{DOMAIN}")
STORAGES = ("sqlite:gateway.sqlite", "flatfile:kept", "jsonfile:kept", "sqlite:{outside}/other.sqlite", "flatfile:{outside}/prosody")


@pytest.fixture(params=STORAGES)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    url: str = request.param
    return url.format(outside=tmp_path / "outside")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "house").mkdir()
    return tmp_path / "house/wsgi.ini"


@pytest.fixture
def settings(config: Path, storage: str) -> Settings:
    """A gateway with an account, archives, a journal of a callback, and its own files, which has ended."""
    (config.parent / "token.txt").write_text("Bearer hand-in-glove\n")
    config.write_text(
        f"# ours\n[gateway]\ndomain = {DOMAIN}\n[auth]\nadmin_password = {PASSWORD}\niterations = 4096\n"
        f"[storage]\nurl = {storage}\n[rest]\ncredentials_file = token.txt\n"
    )
    settings = load_settings(config, {})
    gateway = Gateway(settings)
    gateway.start()
    gateway.parts.accounts.register(JULIET, PASSWORD)
    gateway.driver.archive_append("juliet", DOMAIN, "archive", "<message/>", when=1.0, key="kept")
    gateway.driver.list_append("juliet", DOMAIN, "some_list", "item")
    gateway.driver.store(None, DOMAIN, "of_the_host", {"a": 1})
    gateway.stop()
    data = config.parent / "data"
    with closing(Journal(data / "callbacks/bot.journal")) as journal:
        journal.append(["delivery"])
    (data / "admin-password").write_text("secret")
    identify(data, "web1")
    DrainMark(data).set()
    return settings


def contents(driver: Driver) -> dict[Any, Any]:
    return {
        (host, user, store): [*driver.archive_find(user, host, store)] if sort == "archive" else driver.list_load(user, host, store) if sort == "list" else driver.load(user, host, store)
        for host in sorted(driver.hosts())
        for user in (None, *sorted(driver.users(host)))
        for store, sort in sorted(driver.stores(user, host))
    }  # fmt: skip


def of(settings: Settings) -> dict[Any, Any]:
    with closing(open_driver(settings.storage.url, Path(settings.base) / settings.server.data_dir)) as driver:
        return contents(driver)


def make(settings: Settings, file: Path, **given: bool) -> Manifest:
    return Backup(settings).make(file, **given)


def test_everything_comes_back_in_another_folder(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make(settings, tmp_path / "b.tar.gz")
    assert stat.S_IMODE((tmp_path / "b.tar.gz").stat().st_mode) == 0o600
    assert sorted(os.listdir(tmp_path)) == ["b.tar.gz", "house", "outside"], "nothing else is left"
    there = tmp_path / "there"
    assert restore.to_folder(tmp_path / "b.tar.gz", there, force=False) == made
    again = load_settings(there / "wsgi.ini", {})
    assert of(again) == of(settings)
    assert of(again)[DOMAIN, "juliet", "archive"][0].id == "kept"
    assert (again.server.data_dir, again.rest.credentials, again.gateway) == ("data", "Bearer hand-in-glove", settings.gateway)
    assert "# ours\n" in (there / "wsgi.ini").read_text()
    assert (there / "data/admin-password").read_text() == "secret"
    with closing(Journal(there / "data/callbacks/bot.journal")) as journal:
        assert [text for _, text in journal.unacknowledged()] == ["delivery"]
    assert not {"owner.lock", "hub.sock", "node", "processes.lock", "node.id", "draining"} & set(os.listdir(there / "data"))
    assert all(not stat.S_IMODE(path.stat().st_mode) & 0o007 for path in there.rglob("*"))
    gateway = Gateway(again)
    gateway.start()  # at once: the lease of the other one is not in the backup
    assert gateway.parts.accounts.exists(JULIET)
    gateway.stop()


def test_everything_comes_back_in_its_place(settings: Settings, storage: str, tmp_path: Path) -> None:
    before = of(settings)
    make(settings, tmp_path / "b.tar.gz")
    with pytest.raises(CannotStart, match="is there already") as refused:
        restore.in_place(tmp_path / "b.tar.gz", settings, force=False)
    assert refused.value.code == Exit.CANTCREAT
    with closing(open_driver(settings.storage.url, tmp_path / "house/data")) as driver:
        driver.store("juliet", DOMAIN, "later", {"x": 1})
    restore.in_place(tmp_path / "b.tar.gz", settings, force=True)
    assert of(settings) == before
    replaced = [path.name for path in (*tmp_path.glob("house/*"), *tmp_path.glob("outside/*")) if ".before-" in path.name]
    assert len(replaced) == (2 if "outside" in storage else 1), "what was there is there still"
    restore.in_place(tmp_path / "b.tar.gz", settings, force=True)
    again = [path.name for path in (*tmp_path.glob("house/*"), *tmp_path.glob("outside/*")) if ".before-" in path.name]
    assert len(again) == 2 * len(replaced), "also of a second restore in the same second"
    gateway = Gateway(settings)
    gateway.start()
    assert gateway.parts.accounts.exists(JULIET)
    gateway.stop()


@pytest.mark.parametrize("storage", [STORAGES[3], STORAGES[4]], indirect=True)
def test_all_or_nothing_is_replaced(file: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def tree() -> dict[Path, int]:
        return {path: path.lstat().st_ino for path in (*tmp_path.rglob("*"), tmp_path)}

    rename, before = Path.rename, tree()

    def busy(path: Path, target: Path) -> Path:
        if path == tmp_path / "house/data":
            raise OSError(errno.EBUSY, "Device or resource busy", str(path))  # a volume that something is in
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", busy)
    with pytest.raises(OSError, match="busy"):
        restore.in_place(file, settings, force=True)
    assert tree() == before


@pytest.fixture
def file(settings: Settings, tmp_path: Path) -> Path:
    make(settings, tmp_path / "b.tar.gz")
    return tmp_path / "b.tar.gz"


only_one = pytest.mark.parametrize("storage", STORAGES[:1], indirect=True)


@only_one
def test_a_volume_of_a_container_is_filled(file: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be put in its place, and perhaps nothing beside it."""
    before, data = of(settings), tmp_path / "house/data"
    data.rename(tmp_path / "away")
    data.mkdir()
    number, beside = data.stat().st_ino, sorted(os.listdir(data.parent))
    monkeypatch.setattr(os.path, "ismount", lambda path: path == data)
    restore.in_place(file, settings, force=False)
    assert (of(settings), data.stat().st_ino, sorted(os.listdir(data.parent))) == (before, number, beside)
    assert not [name for name in os.listdir(data) if name.startswith(".restore")]


@only_one
def test_not_while_a_gateway_runs(file: Path, settings: Settings, tmp_path: Path) -> None:
    gateway = Gateway(settings)
    gateway.start()
    for attempt in (lambda: restore.in_place(file, settings, force=True), lambda: restore.to_folder(file, tmp_path / "house", force=True)):
        with pytest.raises(CannotStart, match="stop it first") as refused:
            attempt()
        assert refused.value.code == Exit.TEMPFAIL
    gateway.stop()


@only_one
def test_not_for_a_gateway_that_is_configured_otherwise(file: Path, config: Path) -> None:
    text = config.read_text()
    for changed in (text.replace(f"domain = {DOMAIN}", "domain = other.example"), text.replace("sqlite:gateway.sqlite", "jsonfile:x")):
        config.write_text(changed)
        with pytest.raises(CannotStart, match="--to DIR") as refused:
            restore.in_place(file, load_settings(config, {}), force=True)
        assert refused.value.code == Exit.CONFIG


@only_one
def test_a_file_that_is_there_is_left_alone(file: Path, settings: Settings, config: Path) -> None:
    for place in (file, config.parent / "data/b.tar.gz"):
        with pytest.raises(CannotStart) as refused:
            make(settings, place)
        assert refused.value.code == Exit.CANTCREAT


@only_one
def test_a_disk_without_room(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restore, "SPARE", 1 << 60)
    with pytest.raises(CannotStart, match="are free") as refused:
        restore.to_folder(file, tmp_path / "there", force=False)
    assert (refused.value.code, (tmp_path / "there").exists()) == (Exit.CANTCREAT, False)


@only_one
def test_without_the_storage(settings: Settings, tmp_path: Path) -> None:
    made = make(settings, tmp_path / "b.tar.gz", storage=False)
    assert made.storage == ""
    restore.to_folder(tmp_path / "b.tar.gz", tmp_path / "there", force=False)
    assert load_settings(tmp_path / "there/wsgi.ini", {}).storage.url == settings.storage.url


@only_one
def test_postgresql_is_left_to_its_own_program(config: Path, settings: Settings, tmp_path: Path) -> None:
    config.write_text(config.read_text().replace("sqlite:gateway.sqlite", "postgresql://nobody@127.0.0.1:1/none"))
    with pytest.raises(CannotStart, match=r"postgresql:….*pg_dump") as refused:
        make(load_settings(config, {}), tmp_path / "b.tar.gz")
    assert (refused.value.code, (tmp_path / "b.tar.gz").exists()) == (Exit.CONFIG, False)
    make(load_settings(config, {}), tmp_path / "b.tar.gz", storage=False)


# the file is anybody's

Rewrite = Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]


def rewritten(file: Path, change: Rewrite) -> Path:
    """The backup with other members."""
    with tarfile.open(file) as tar:
        members = [(member, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]  # they are files
    change(members)
    hostile = file.with_name("hostile.tar.gz")
    with tarfile.open(hostile, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        for member, data in members:
            if member.isreg():
                member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return hostile


def adding(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", data: bytes = b"x") -> Rewrite:
    """A further member, which the manifest knows as it is."""

    def change(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, link
        members.insert(0, (info, data))
        manifest = json.loads(members[-1][1])
        manifest["files"][name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        members[-1] = (members[-1][0], json.dumps(manifest).encode())

    return change


def with_manifest(**changes: Any) -> Rewrite:
    def change(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        members[-1] = (members[-1][0], json.dumps(json.loads(members[-1][1]) | changes).encode())

    return change


HOSTILE: dict[str, Rewrite] = {
    "absolute": adding("/etc/passwd"),
    "above": adding("data/../../evil"),
    "above alone": adding(".."),
    "dot": adding("data/./x"),
    "empty part": adding("data//x"),
    "elsewhere": adding("other/x"),
    "beside": adding("app.py"),
    "backslash": adding("data\\x"),
    "deep": adding("data/" + "a/" * 40 + "x"),
    "long": adding("data/" + "a" * 300),
    "link": adding("data/link", tarfile.SYMTYPE, "/etc/passwd"),
    "hard link": adding("data/link", tarfile.LNKTYPE, "wsgi.ini"),
    "device": adding("data/null", tarfile.CHRTYPE),
    "pipe": adding("data/pipe", tarfile.FIFOTYPE),
    "folder": adding("data/folder", tarfile.DIRTYPE),
    "twice": lambda members: members.insert(0, members[0]),
    "missing": lambda members: members.pop(0) and None,
    "unknown": lambda members: members.insert(0, (tarfile.TarInfo("data/unknown"), b"")),
    "changed": lambda members: members.__setitem__(0, (members[0][0], members[0][1][:-1] + b"!")),
    "longer": lambda members: members.__setitem__(0, (members[0][0], members[0][1] + b"\n")),
    "no manifest": lambda members: members.pop() and None,
    "behind the manifest": lambda members: members.append((tarfile.TarInfo("data/last"), b"")),
    "later version": with_manifest(format=2),
    "no format": with_manifest(format=None),
    "files are none": with_manifest(files=[]),
    "no hash": with_manifest(files={"wsgi.ini": {"size": 1}}),
    "negative": with_manifest(files={"wsgi.ini": {"size": -1, "sha256": ""}}),
    "code for a driver": with_manifest(driver="os.path", storage="Evil"),
    "storage elsewhere": with_manifest(storage="../../x"),
    "not a database": with_manifest(storage="admin-password"),
    "no text": with_manifest(domain=5),
    "text for a terminal": with_manifest(time="\x1b[2J"),
    "a name of a megabyte": adding("data/" + "a" * (2 << 20)),
    "a link to a megabyte": adding("data/link", tarfile.SYMTYPE, "a" * (2 << 20)),
    "a file in the place of a folder": adding("data/gateway.sqlite/x"),
}  # fmt: skip


@only_one
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_changes_nothing(file: Path, tmp_path: Path, what: str) -> None:
    hostile = rewritten(file, HOSTILE[what])
    with pytest.raises(CannotStart, match="is not a whole backup") as refused:
        restore.to_folder(hostile, tmp_path / "there", force=False)
    assert refused.value.code == Exit.DATAERR
    assert not (tmp_path / "there").exists() or os.listdir(tmp_path / "there") == []
    assert not (tmp_path / "evil").exists()


@only_one
@pytest.mark.parametrize("where", [0, 1, 10, 100, -100, -12])
def test_a_part_of_a_file(file: Path, tmp_path: Path, where: int) -> None:
    part = tmp_path / "part.tar.gz"
    part.write_bytes(file.read_bytes()[:where])
    with pytest.raises(CannotStart, match="is not a whole backup"):
        checked(part)


@only_one
def test_what_is_no_backup_at_all(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for data in (b"hello", gzip.compress(b"hello"), gzip.compress(b"\0" * 10240), os.urandom(4096)):
        other.write_bytes(data)
        with pytest.raises(CannotStart, match="is not a whole backup"):
            checked(other)
    with pytest.raises(CannotStart, match="no such file") as refused:
        checked(tmp_path / "nowhere")
    assert refused.value.code == Exit.NOINPUT


@only_one
def test_a_file_that_changes_between_reading_and_writing(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is compared again as it is written."""
    manifest, other = checked(file), rewritten(file, HOSTILE["changed"])
    (tmp_path / "there").mkdir()
    with pytest.raises(CannotStart, match="has changed"):
        backup_file.extract(other, manifest, tmp_path / "there")


def test_names() -> None:
    assert is_safe("wsgi.ini")
    assert is_safe("data/capulet%2eexample/archive/juliet.list")
    assert is_safe("secrets/link.secret")
    assert not is_safe("data")
    assert not is_safe("wsgi.ini/x")
    assert not is_safe("data/a\0b")


# while the gateway writes


@only_one
def test_what_is_in_a_journal_at_any_time(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A delivery that is done while the storage is copied; and a dead letter that is replayed then, out of the storage into the journal."""
    path = tmp_path / "house/data/callbacks/bot.journal"
    journal = Journal(path)
    copied = backup.Backup._add_storage

    def meanwhile(self: Backup, *arguments: Any) -> None:
        copied(self, *arguments)
        journal.ack([number for number, _ in journal.unacknowledged()])
        journal.append(["replayed"])

    monkeypatch.setattr(backup.Backup, "_add_storage", meanwhile)
    make(settings, tmp_path / "b.tar.gz")
    journal.close()
    restore.to_folder(tmp_path / "b.tar.gz", tmp_path / "there", force=False)
    with closing(Journal(tmp_path / "there/data/callbacks/bot.journal")) as again:
        assert [text for _, text in again.unacknowledged()] == ["delivery", "replayed"]


@only_one
def test_what_is_archived_just_after_the_storage_was_copied(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And so leaves the outbox before the backup is complete: the journal was read before."""
    journal = Journal(tmp_path / f"house/data/outbox/{DOMAIN}.journal")
    numbers = journal.append(["<message/>"], [["id", 1.5]])
    copied = backup.Backup._add_storage

    def meanwhile(self: Backup, *arguments: Any) -> None:
        copied(self, *arguments)
        journal.ack_notes(numbers)
        journal.ack(numbers)

    monkeypatch.setattr(backup.Backup, "_add_storage", meanwhile)
    make(settings, tmp_path / "b.tar.gz")
    assert journal.unacknowledged() == []
    journal.close()
    restore.to_folder(tmp_path / "b.tar.gz", tmp_path / "there", force=False)
    with closing(Journal(tmp_path / f"there/data/outbox/{DOMAIN}.journal")) as again:
        assert ([entry.note for entry in again.noted()], len(again.unacknowledged())) == ([["id", 1.5]], 1)


@only_one
def test_a_note_of_the_outbox_is_kept(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / f"house/data/outbox/{DOMAIN}.journal"
    with closing(Journal(path)) as journal:
        journal.ack(journal.append(["<message/>"], [["id", 1.5]]))  # sent, and not archived
        journal.append(["<message id='2'/>"])
    make(settings, tmp_path / "b.tar.gz")
    restore.to_folder(tmp_path / "b.tar.gz", tmp_path / "there", force=False)
    with closing(Journal(tmp_path / f"there/data/outbox/{DOMAIN}.journal")) as again:
        assert [entry.note for entry in again.noted()] == [["id", 1.5]]
        assert [text for _, text in again.unacknowledged()] == ["<message id='2'/>"]


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "house/data/gateway.sqlite", isolation_level=None)) as connection:
        yield connection


@only_one
def test_writes_of_others_do_not_end_up_in_the_middle(settings: Settings, tmp_path: Path, busy: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    """One snapshot: neither is the copy begun again with each write, nor has it half of anything."""
    monkeypatch.setattr("drivers.sql.sqlitecopy.PAGES", 2)
    busy.execute("CREATE TABLE pairs (a, b)")
    busy.executemany("INSERT INTO pairs VALUES (?, ?)", [(f"{n}" * 500, n) for n in range(100)])
    steps = []

    def writing(_bytes: int) -> None:
        steps.append(busy.execute("UPDATE pairs SET b=b+1").rowcount)

    Backup(settings, writing).make(tmp_path / "b.tar.gz")
    restore.to_folder(tmp_path / "b.tar.gz", tmp_path / "there", force=False)
    with closing(sqlite3.connect(tmp_path / "there/data/gateway.sqlite")) as copy:
        found = [b for (b,) in copy.execute("SELECT b FROM pairs")]
        assert found == list(range(found[0], found[0] + 100)), "all rows have the same updates"
        assert found[0] < len(steps) - 10, "and none of those that came while they were copied"
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert len(steps) > 20


@pytest.mark.parametrize("storage", ["flatfile:kept", "jsonfile:kept"], indirect=True)
def test_files_that_are_removed_or_replaced_meanwhile(settings: Settings, tmp_path: Path) -> None:
    with closing(open_driver(settings.storage.url, tmp_path / "house/data")) as driver:
        for n in range(5):
            driver.archive_extend("zoe", DOMAIN, f"a{n}", [ArchiveItem(f"i{k}", float(k), "", "<message/>") for k in range(20)])

        done: list[int] = []

        def meanwhile(written: int) -> None:
            done.append(written)
            if len(done) == 8:
                driver.purge("juliet", DOMAIN)
                driver.archive_delete("zoe", DOMAIN, "a4", ArchiveQuery(end=9.0))

        Backup(settings, meanwhile).make(tmp_path / "b.tar.gz")
    restore.to_folder(tmp_path / "b.tar.gz", tmp_path / "there", force=False)
    found = of(load_settings(tmp_path / "there/wsgi.ini", {}))
    assert [len(found[DOMAIN, "zoe", f"a{n}"]) for n in range(5)] == [20, 20, 20, 20, 10]
