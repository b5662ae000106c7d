"""The file of a backup: a compressed tar of regular files, the last of which, manifest.json, says the size and hash of each.

The file may come from anywhere: names lead nowhere else, and nothing is written before all of it was read and found
to be what the manifest says. Sizes are those of the manifest, also while it is written out.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import os
import re
import tarfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple, Protocol, Self

from drivers.copies import OnCopied, unsaid
from xmpp_rest.gateway.exit_codes import CannotStart, Exit
from xmpp_rest.gateway.startup import FILES

MANIFEST = "manifest.json"
FORMAT = 1
LARGEST_MANIFEST = 1 << 30  # bytes
LARGEST_HEADER = 1 << 20  # bytes of names that do not fit into the 512 of a header
LEVEL = 3  # of compression: half the time of 6, 6 % more bytes of a database of messages
CHUNK = 1 << 20  # bytes
DEEPEST = 16  # folders
_NAME = re.compile(r"[^/\0\\]{1,255}")
_PLACES = ("data", "secrets")
_ALONE = ("wsgi.ini",)


class FileEntry(NamedTuple):
    """What the manifest says of a file."""

    size: int
    sha256: str


class Manifest(NamedTuple):
    """What a backup has. `storage`: the path of the storage below `data`; "" if it is not in it."""

    version: str
    time: str
    domain: str
    driver: str
    storage: str
    files: dict[str, FileEntry]

    def text(self) -> str:
        files = {name: entry._asdict() for name, entry in self.files.items()}
        return json.dumps({"format": FORMAT, **self._asdict(), "files": files}, indent=1)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Hashing:
    """A file whose content is hashed as it is read, up to a size."""

    def __init__(self, file: _Readable, size: int, progress: OnCopied = unsaid) -> None:
        self._file = file
        self._progress = progress
        self._left = size
        self._hash = hashlib.sha256()

    def read(self, size: int = CHUNK) -> bytes:
        data = self._file.read(min(size, self._left))
        self._left -= len(data)
        self._hash.update(data)
        self._progress(len(data))
        return data

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


class _Member(tarfile.TarInfo):
    """A regular file in the tar."""

    def __init__(self, name: str, size: int, mode: int) -> None:
        super().__init__(name)
        self.size = size
        self.mode = mode
        self.mtime = int(time.time())


class BackupWriter:
    """Writes the files of a backup one after the other; a context, at the end of which all is written."""

    def __init__(self, target: BinaryIO, progress: OnCopied) -> None:
        """`progress` gets how many bytes were written since its last call."""
        self._progress = progress
        self._compressed = gzip.GzipFile(fileobj=target, mode="wb", compresslevel=LEVEL)
        self._tar = tarfile.open(fileobj=self._compressed, mode="w|", format=tarfile.PAX_FORMAT, bufsize=CHUNK)  # noqa: SIM115  # see __exit__
        self.files: dict[str, FileEntry] = {}

    def add(self, name: str, file: BinaryIO, size: int, mode: int = 0o600) -> None:
        """Add so many bytes of a file. Raises OSError, also if there are fewer."""
        hashing = _Hashing(file, size, self._progress)
        self._tar.addfile(_Member(name, size, mode & 0o660 | 0o600), hashing)
        self.files[name] = FileEntry(size, hashing.sha256)

    def add_bytes(self, name: str, data: bytes) -> None:
        self.add(name, io.BytesIO(data), len(data))

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest, as the last one."""
        self.add_bytes(MANIFEST, manifest.text().encode("utf-8", "surrogateescape"))
        del self.files[MANIFEST]

    def __enter__(self) -> BackupWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._tar.close()
        self._compressed.close()


def damaged(path: Path, why: object) -> CannotStart:
    """The error for a file that is not a whole backup."""
    return CannotStart(Exit.DATAERR, f"{path}: is not a whole backup: {why}; nothing was changed")


def checked(path: Path) -> Manifest:
    """Read all of a backup, compare it with its manifest, and return that. Writes nothing. Raises CannotStart, OSError."""
    found: dict[str, FileEntry] = {}
    manifest: Manifest | None = None
    with _members(path) as tar:
        for member in tar:
            if manifest is not None:
                raise damaged(path, f"something follows {MANIFEST}")
            content = _content(tar, member)
            if content is None:
                raise damaged(path, f"{member.name!r} is not a regular file")
            if member.name == MANIFEST:
                if member.size > LARGEST_MANIFEST:
                    raise damaged(path, f"{MANIFEST} is too large")
                manifest = _read_manifest(path, content.read())
                continue
            if member.name in found or not is_safe(member.name):
                raise damaged(path, f"{member.name!r} is not a name of a file in a backup, or is in it twice")
            hashing = _Hashing(content, member.size)
            while hashing.read():
                pass
            found[member.name] = FileEntry(member.size, hashing.sha256)
    if manifest is None:
        raise damaged(path, f"it ends without a {MANIFEST}")
    if found != manifest.files:
        different = sorted(name for name in found.keys() | manifest.files if found.get(name) != manifest.files.get(name))
        raise damaged(path, f"{len(different)} files are not as {MANIFEST} says, {different[0]!r} among them")
    return manifest


def extract(path: Path, manifest: Manifest, folder: Path) -> None:
    """Write the files into an empty folder that is nobody else's, each as the manifest says. Raises CannotStart, OSError."""
    left = dict(manifest.files)
    made: set[Path] = set()
    with _members(path) as tar:
        for member in tar:
            if member.name == MANIFEST:
                break
            entry, content = left.pop(member.name, None), _content(tar, member)
            if entry is None or content is None or not is_safe(member.name):
                raise damaged(path, f"{member.name!r} has changed")
            target = folder / member.name
            if target.parent not in made:
                _make_folders(target.parent, folder, made)
            hashing = _Hashing(content, entry.size)
            with open(target, "xb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, 0o600)) as written:
                while data := hashing.read():
                    written.write(data)
            if hashing.sha256 != entry.sha256:
                raise damaged(path, f"{member.name!r} has changed")
            target.chmod(member.mode & 0o660 | 0o600)
    if left:
        raise damaged(path, "it has changed")


def _make_folders(path: Path, top: Path, made: set[Path]) -> None:
    """Make a folder below `top`, and those above it: the data folder is its owner's alone, a storage below it may have been shared."""
    if path != top and path not in made:
        _make_folders(path.parent, top, made)
        path.mkdir(mode=0o700 if path.parent == top else 0o750, exist_ok=True)
        made.add(path)


def is_safe(name: str) -> bool:
    """Whether a name is one that a backup gives to a file, and leads to no other place."""
    parts = name.split("/")
    if len(parts) > DEEPEST or not all(_NAME.fullmatch(part) and part not in (".", "..") for part in parts):
        return False
    return name in _ALONE if len(parts) == 1 else parts[0] in _PLACES


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes] | None:
    """The content of a regular file; None for a link, a device, or a file with holes, which could be of any size."""
    return tar.extractfile(member) if member.isreg() and not member.issparse() else None


class _BoundedHeader(tarfile.TarInfo):
    """A member whose long names are bounded: tarfile reads those into memory, however large they say that they are."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        found = super().frombuf(buf, encoding, errors)
        if found.size > LARGEST_HEADER and not found.isreg():
            raise tarfile.ReadError(f"a header has {found.size} bytes")
        return found


@contextlib.contextmanager
def _members(path: Path) -> Iterator[tarfile.TarFile]:
    with (
        _problems(path), path.open("rb") as file, gzip.GzipFile(fileobj=file) as compressed,
        tarfile.open(fileobj=compressed, mode="r|", bufsize=CHUNK, tarinfo=_BoundedHeader) as tar,
    ):  # fmt: skip
        yield tar


@contextlib.contextmanager
def _problems(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as e:
        if e.filename != str(path):
            raise
        raise CannotStart(Exit.NOINPUT, f"{path}: there is no such file") from e
    except (tarfile.TarError, EOFError, zlib.error, NotADirectoryError, FileExistsError, IsADirectoryError) as e:
        raise damaged(path, e) from e
    except OSError as e:  # gzip's own: not in gzip format, a wrong checksum
        if e.errno is None:
            raise damaged(path, e) from e
        raise


def _read_manifest(path: Path, data: bytes) -> Manifest:
    try:
        table = json.loads(data.decode("utf-8", "surrogateescape"))
        if table["format"] != FORMAT:
            raise damaged(path, f"format {table['format']!r} is that of another version of xmpp-rest")
        files = {name: _entry(entry) for name, entry in table["files"].items()}
        version, when, domain, driver, storage = (_text(table[name]) for name in ("version", "time", "domain", "driver", "storage"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as e:
        raise damaged(path, f"{MANIFEST} cannot be read ({e!r})") from e
    manifest = Manifest(version, when, domain, driver, storage, files)
    if storage and (driver not in FILES or not is_safe(f"data/{storage}")):  # a driver is code
        raise damaged(path, f"{driver}:{storage} is not a storage in a backup")
    return manifest


def _entry(table: Any) -> FileEntry:
    match table:
        case {"size": int(size), "sha256": str(sha256)} if size >= 0:
            return FileEntry(size, sha256)
    raise ValueError("a file without size or hash")


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable():  # some of it is printed to a terminal
        raise TypeError("not a text that can be printed")
    return value
