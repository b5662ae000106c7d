"""FileStore: files in a folder (files §6). What is visible is whole, also after a crash.

The content of a file is `FOLDER/ab/ID`, and beside it `ID.json` says the rest; `ab` are the first characters of a hash of the id. A file is
there once `ID.json` is. Neither names nor owners are part of a path, and ids are checked before they become one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from xmpp_rest.protocol.jid import InvalidJID, parse_jid
from xmpp_rest.service.files.values import NewFile, StoredFile

ID = re.compile(r"[A-Za-z0-9_-]{22,64}")
ID_BYTES = 18  # 144 bits
PARTS = 3  # uploads of one id that may be under way at once: a client repeats what has broken off before the server knows that it has
STALE = 86400.0  # seconds after which what was left by a crash goes
CLAIM = 60.0  # seconds after which content that nothing describes is of a crash: another upload of this id may take its place


class Taken(Exception):
    """There is a file of this id already, or as many uploads of it as may be."""


class Opened(NamedTuple):
    """A file, and its content, open for reading."""

    file: StoredFile
    content: BinaryIO


def new_id() -> str:
    """An id that nobody can guess."""
    return secrets.token_urlsafe(ID_BYTES)


def make_folder(folder: Path) -> None:
    """Make it, and those above it, for the gateway alone."""
    for each in (*reversed(folder.parents), folder):
        if not each.is_dir():
            each.mkdir(mode=0o700, exist_ok=True)


class Upload:
    """A file that is being written. Nobody sees it before `FileStore.commit`. Raises OSError."""

    def __init__(self, new: NewFile, path: Path) -> None:
        """Raises Taken."""
        self.new = new
        self.size = 0
        self.path, self.content = _part(path)
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The hash of what was written, in hex."""
        return self._hash.hexdigest()

    def describe(self, name: str, media_type: str, expires: float | None) -> None:
        """Say what it is, in place of what was said before."""
        self.new = self.new._replace(name=name, media_type=media_type, expires=expires)

    def write(self, data: bytes) -> None:
        """Append this."""
        rest = memoryview(data)
        while rest:  # the last bytes of a disk are written before an error is told
            rest = rest[self.content.write(rest) :]
        self._hash.update(data)
        self.size += len(data)

    def finish(self) -> None:
        """Have what was written be safe on disk."""
        os.fsync(self.content.fileno())
        if os.fstat(self.content.fileno()).st_size != self.size:
            raise OSError(errno.EIO, "the file is not as long as what was written")
        self.content.close()

    def abort(self) -> None:
        """Keep nothing of it. May be called again, and after it was committed."""
        with contextlib.suppress(OSError):
            self.content.close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


def _part(path: Path) -> tuple[Path, BinaryIO]:
    """A file of one's own to write to, with its path."""
    for number in range(PARTS):
        part = path.with_name(f"{path.name}.{f'{number + 1}.' if number else ''}part")
        with contextlib.suppress(FileExistsError):
            return part, os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb", buffering=0)
    raise Taken


class FileStore:
    """Files in a folder. Safe to be used by several threads and processes; all methods raise OSError."""

    def __init__(self, folder: Path) -> None:
        """`folder` is made when it is needed."""
        self.folder = folder

    def begin(self, new: NewFile) -> Upload:
        """Begin to write a file; end it with `commit`, or with `abort` of what is returned. Raises Taken."""
        path = self._path(new.id)
        if path is None:
            raise ValueError("this is not an id")
        if path.exists() and not _unclaimed(path):
            raise Taken
        make_folder(path.parent)
        return Upload(new, path)

    def commit(self, upload: Upload) -> StoredFile:
        """Have everybody see the file, which is safe on disk then. Raises Taken; nothing of it is kept if anything fails."""
        path = upload.path.with_name(upload.new.id)
        claimed = False
        try:
            upload.finish()
            _claim(path)
            claimed = True
            os.utime(upload.path)  # the claim begins now, however long the upload has taken
            upload.path.replace(path)
            _sync_folder(path.parent)  # before the description: content is never missing where there is one
            stored = StoredFile(*upload.new[:4], upload.size, upload.sha256, time.time(), upload.new.expires)
            _write(_beside(path, "json"), _described(stored))
        except BaseException:
            upload.abort()
            if claimed:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
            raise
        return stored

    def get(self, file_id: str) -> StoredFile | None:
        """What is known of a file; None: there is none, or its end has come."""
        path = self._path(file_id)
        stored = None if path is None else _read(path)
        return None if stored is None or stored.is_over else stored

    def open(self, file_id: str) -> Opened | None:
        """The file and its content; None: there is none, or its end has come."""
        stored, path = self.get(file_id), self._path(file_id)
        if stored is None or path is None:
            return None
        try:
            content = path.open("rb")
        except FileNotFoundError:
            return None
        if os.fstat(content.fileno()).st_size != stored.size:  # a disk that lost what it had confirmed
            content.close()
            return None
        return Opened(stored, content)

    def delete(self, file_id: str) -> bool:
        """Remove a file at once; whether there was one. Who reads it goes on reading."""
        path = self._path(file_id)
        if path is None:
            return False
        try:
            _beside(path, "json").unlink()
        except FileNotFoundError:
            return False
        path.unlink(missing_ok=True)
        return True

    def walk(self) -> Iterator[StoredFile]:
        """All files, also those whose end has come."""
        for folder in self._folders():
            for entry in sorted(folder.glob("*.json")):
                if (stored := _read(entry.with_suffix(""))) is not None:
                    yield stored

    def sweep(self) -> int:
        """Remove what crashes have left, once it is a day old; how much that was."""
        swept, before = 0, time.time() - STALE
        for folder in self._folders():
            names = {entry.name for entry in folder.iterdir()}
            for name in names:
                if name.endswith(".json") or f"{name}.json" in names:
                    continue
                with contextlib.suppress(FileNotFoundError):
                    if (folder / name).stat().st_mtime < before:
                        (folder / name).unlink()
                        swept += 1
        return swept

    def _folders(self) -> list[Path]:
        try:
            return sorted(entry for entry in self.folder.iterdir() if re.fullmatch("[0-9a-f]{2}", entry.name) and entry.is_dir())
        except FileNotFoundError:
            return []

    def _path(self, file_id: str) -> Path | None:
        """Where the content of this id is; None: it is not an id."""
        if not ID.fullmatch(file_id):
            return None
        return self.folder / hashlib.sha256(file_id.encode()).hexdigest()[:2] / file_id


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(f"{path.name}.{ending}")


def _claim(path: Path) -> None:
    """Be the only one that brings content to this path, on file systems without links as well. Raises Taken."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        raise Taken from None


def _unclaimed(path: Path) -> bool:
    """Whether the content at this path was left by a crash; it is removed then."""
    try:
        if _beside(path, "json").exists() or path.stat().st_mtime > time.time() - CLAIM:
            return False
    except FileNotFoundError:  # it failed just now
        return True
    path.unlink(missing_ok=True)
    return True


def _write(path: Path, data: bytes) -> None:
    """Write a small file, whole or not at all, and safe on disk."""
    part = _beside(path, f"{secrets.token_hex(4)}.part")
    try:
        with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _described(stored: StoredFile) -> bytes:
    return json.dumps(stored._asdict() | {"owner": str(stored.owner)}, ensure_ascii=True).encode()


def _read(path: Path) -> StoredFile | None:
    """What is beside the content at this path; None: nothing, or nothing that can be read."""
    try:
        found: Any = json.loads(_beside(path, "json").read_bytes())
        expires = found["expires"]
        return StoredFile(
            path.name, parse_jid(found["owner"]), str(found["name"]), str(found["media_type"]), int(found["size"]), str(found["sha256"]),
            float(found["created"]), None if expires is None else float(expires),
        )  # fmt: skip
    except (FileNotFoundError, ValueError, TypeError, KeyError, InvalidJID):
        return None
