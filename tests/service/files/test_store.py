"""The folder of files (files §6)."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from xmpp_rest.protocol.jid import parse_jid
from xmpp_rest.service.files.store import FileStore, Taken, Upload, new_id
from xmpp_rest.service.files.values import NewFile, StoredFile

JULIET = parse_jid("juliet@capulet.example")


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "files")


def begun(store: FileStore, content: bytes = b"rose", expires: float | None = None) -> Upload:
    upload = store.begin(NewFile(new_id(), JULIET, "r.png", "image/png", expires))
    upload.write(content)
    return upload


def put(store: FileStore, content: bytes = b"rose", expires: float | None = None) -> StoredFile:
    return store.commit(begun(store, content, expires))


def names(store: FileStore) -> list[str]:
    return sorted(path.name for path in store.folder.rglob("*") if path.is_file())


def test_what_is_stored_is_found(store: FileStore) -> None:
    file = put(store)
    assert store.get(file.id) == file
    assert file.sha256 == hashlib.sha256(b"rose").hexdigest()
    opened = store.open(file.id)
    assert opened is not None
    with opened.content:
        assert opened.content.read() == b"rose"
    assert list(store.walk()) == [file]
    folder = hashlib.sha256(file.id.encode()).hexdigest()[:2]
    content = store.folder / folder / file.id
    assert content.read_bytes() == b"rose"
    assert names(store) == [file.id, f"{file.id}.json"]
    for path in (store.folder, content.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in (content, content.with_name(f"{file.id}.json")):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert store.delete(file.id)
    assert not store.delete(file.id)
    assert (store.get(file.id), store.open(file.id), names(store)) == (None, None, [])


def test_nobody_sees_what_is_not_whole(store: FileStore) -> None:
    upload = begun(store)
    assert names(store) == [f"{upload.new.id}.part"]
    assert (store.get(upload.new.id), store.open(upload.new.id), list(store.walk())) == (None, None, [])
    upload.abort()
    upload.abort()
    assert names(store) == []


@pytest.mark.parametrize("step", ["replace", "fsync"])
@pytest.mark.parametrize("after", range(4))
def test_a_failure_at_any_step_leaves_nothing(store: FileStore, monkeypatch: pytest.MonkeyPatch, step: str, after: int) -> None:
    left = [after]

    def failing(real: object) -> object:
        def call(*args: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.EIO, "disk")
            return real(*args)  # type: ignore[operator]

        return call

    upload = begun(store)
    with monkeypatch.context() as patched:
        owner: object = Path if step == "replace" else os
        patched.setattr(owner, step, failing(getattr(owner, step)))
        try:
            store.commit(upload)
        except OSError:
            assert names(store) == [] or store.get(upload.new.id) is not None
        else:
            assert names(store) == [upload.new.id, f"{upload.new.id}.json"]
            return
    if store.get(upload.new.id) is None:
        assert store.commit(begun(store)).size == 4


class ShortWrites(io.FileIO):
    """As of a disk that is nearly full: a write takes a part, and the next one fails."""

    def __init__(self, path: Path, room: int) -> None:
        super().__init__(path, "w")
        self.room = room

    def write(self, data: Any) -> int:
        taken = min(len(data), 3, self.room)
        if not taken:
            raise OSError(errno.ENOSPC, "full")
        self.room -= taken
        return super().write(bytes(data[:taken]))


def test_a_write_that_takes_a_part_is_gone_on_with(store: FileStore) -> None:
    upload = begun(store, b"")
    upload.content.close()
    upload.content = ShortWrites(upload.path, 100)
    upload.write(b"a rose by any other name")
    file = store.commit(upload)
    opened = store.open(file.id)
    assert opened is not None
    with opened.content:
        assert opened.content.read() == b"a rose by any other name"
    upload = begun(store, b"")
    upload.content.close()
    upload.content = ShortWrites(upload.path, 4)
    with pytest.raises(OSError, match="full"):
        upload.write(b"12345")
    upload.abort()
    assert names(store) == [file.id, f"{file.id}.json"]


def test_one_of_two_uploads_of_an_id_counts(store: FileStore) -> None:
    new = NewFile(new_id(), JULIET, "r.png", "image/png", None)
    first, second = store.begin(new), store.begin(new)
    assert names(store) == [f"{new.id}.2.part", f"{new.id}.part"]
    first.write(b"first")
    second.write(b"second")
    assert store.commit(second).size == 6
    with pytest.raises(Taken):
        store.commit(first)
    opened = store.open(new.id)
    assert opened is not None
    with opened.content:
        assert opened.content.read() == b"second"
    assert names(store) == [new.id, f"{new.id}.json"]
    with pytest.raises(Taken):
        store.begin(new)


def test_uploads_of_an_id_are_bounded(store: FileStore) -> None:
    new = NewFile(new_id(), JULIET, "r.png", "image/png", None)
    uploads = [store.begin(new) for _ in range(3)]
    with pytest.raises(Taken):
        store.begin(new)
    for upload in uploads:
        upload.abort()


def test_a_file_at_its_end_is_not_there(store: FileStore) -> None:
    file = put(store, expires=time.time() - 1)
    assert (store.get(file.id), store.open(file.id)) == (None, None)
    assert list(store.walk()) == [file]
    assert store.delete(file.id)


@pytest.mark.parametrize("bad", ["", "..", "../../etc/passwd", "a" * 21, "a" * 65, "a" * 21 + "/", "a" * 21 + "\0", "a" * 22 + "\n", "é" * 22])
def test_what_is_no_id_is_no_path(store: FileStore, bad: str) -> None:
    assert (store.get(bad), store.open(bad), store.delete(bad)) == (None, None, False)
    with pytest.raises(ValueError, match="not an id"):
        store.begin(NewFile(bad, JULIET, "x", "x/x", None))


def test_what_a_crash_leaves_goes_after_a_day(store: FileStore) -> None:
    file, part, claimed = put(store), begun(store), new_id()
    folder = part.path.parent
    (folder / claimed).write_bytes(b"")  # between two steps of a commit
    assert store.sweep() == 0
    old = time.time() - 90000
    for path in store.folder.rglob("*"):
        if path.is_file():
            os.utime(path, (old, old))
    assert store.sweep() == 2
    assert names(store) == [file.id, f"{file.id}.json"]
    part.abort()


def test_a_description_that_cannot_be_read_is_no_file(store: FileStore) -> None:
    file = put(store)
    (path,) = store.folder.rglob("*.json")
    for text in (b"", b"{", b"[]", b"{}", b'{"owner": "@"}', path.read_bytes().replace(b'"size": 4', b'"size": "x"')):
        path.write_bytes(text)
        assert (store.get(file.id), store.open(file.id), list(store.walk())) == (None, None, [])


def test_content_that_was_lost_is_no_file(store: FileStore) -> None:
    file = put(store)
    content = next(path for path in store.folder.rglob(file.id))
    content.write_bytes(b"")
    assert store.open(file.id) is None
    content.unlink()
    assert store.open(file.id) is None


def test_content_that_a_crash_has_left_undescribed_makes_room(store: FileStore) -> None:
    """An upload was killed before it was there for anybody: who sends it again is not told that it is."""
    first = begun(store)
    path = first.path.with_name(first.new.id)
    first.content.close()
    first.path.replace(path)
    with pytest.raises(Taken):  # it may be about to be described
        store.begin(first.new)
    os.utime(path, (0, time.time() - 61))
    again = store.begin(first.new)
    again.write(b"tulip")
    file = store.commit(again)
    assert store.get(file.id) == file
    os.utime(path, (0, 0))
    with pytest.raises(Taken):
        store.begin(first.new)
    assert path.read_bytes() == b"tulip"
