"""Durable changes of files, which reach the disk as a whole or not at all."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from drivers import StorageError

FOLDER_MODE = 0o750  # as Prosody makes them
FILE_MODE = 0o640
SETTLED = 2.0  # seconds: longer than the steps in which file systems keep times
WRITE = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW

SENTENCES = {
    errno.ENOSPC: "there is no space left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would become larger than is allowed",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "the process may not use the file or its folder",
    errno.EPERM: "the process may not use the file or its folder",
    errno.ENAMETOOLONG: "the name is too long for a file; use an SQL storage for such names",
    errno.ENOTDIR: "a file is in the place of a folder",
    errno.EISDIR: "a folder is in the place of a file",
    errno.ELOOP: "a symbolic link is in the place of a file",
    errno.EMFILE: "too many files are open",
    errno.ENFILE: "too many files are open",
    errno.EIO: "the disk refused to read or write",
}
LASTING = (errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ELOOP)
"""Errors that do not go away by waiting."""


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn OSError into a StorageError with a sentence."""
    try:
        yield
    except OSError as e:
        sentence = SENTENCES.get(e.errno or 0, "the system refused")
        raise StorageError(f"{path}: {sentence} ({e.strerror})", told=sentence, lasting=e.errno in LASTING) from e


@contextmanager
def unless_missing(path: Path) -> Iterator[None]:
    """As `storage_errors`; but the context merely ends where there is no such file, or the name is too long for one."""
    with storage_errors(path):
        try:
            yield
        except OSError as e:
            if e.errno not in (errno.ENOENT, errno.ENAMETOOLONG):
                raise


def read(path: Path) -> bytes | None:
    """The content of a file; None if there is no file."""
    with unless_missing(path):
        return path.read_bytes()
    return None


def mark(path: Path) -> object | None:
    """What is different once somebody has replaced the file; None if it is so new that another change could look the same."""
    with unless_missing(path):
        found = path.stat()
        return None if found.st_mtime > time.time() - SETTLED else (found.st_ino, found.st_size, found.st_mtime_ns)
    return ()


def replace(path: Path, chunks: Iterable[bytes]) -> None:
    """Replace the whole content of a file. The caller holds the lock, so the name of the scratch file is free."""
    with storage_errors(path), scratch(path, ".new") as (new, descriptor):
        for chunk in chunks:
            write_all(descriptor, chunk)
        put(new, descriptor, path)


@contextmanager
def scratch(path: Path, suffix: str) -> Iterator[tuple[Path, int]]:
    """An empty file beside another, to be written and `put` in its place; removed if the context ends with an exception.

    A program that shares the folder must not write a file of that name: Prosody's scratch files end with a tilde.
    """
    make_folder(path.parent)
    new = path.with_name(path.name + suffix)
    descriptor = os.open(new, WRITE | os.O_TRUNC, FILE_MODE)
    try:
        yield new, descriptor
    except BaseException:
        with suppress(OSError):
            new.unlink()
        raise
    finally:
        os.close(descriptor)


def put(new: Path, descriptor: int, path: Path) -> None:
    """Sync a file to the disk, and move it to the place of another."""
    os.fsync(descriptor)
    os.replace(new, path)
    sync_folder(path.parent)


def append(descriptor: int, data: bytes) -> None:
    """Add `data` at the end of a file that was opened with O_APPEND; a part that was written before an error is removed."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    except BaseException:
        # if even this fails, the next append finds and removes the incomplete record
        with suppress(OSError):
            end = os.lseek(descriptor, 0, os.SEEK_CUR)  # after what was written here
            if (written := len(data) - len(view)) and end == os.fstat(descriptor).st_size:  # nothing else has been added since
                os.ftruncate(descriptor, end - written)
        raise


def write_all(descriptor: int, data: bytes) -> None:
    """Write all bytes; on a disk that fills up the first write may be partial, and the next fails."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def remove(path: Path) -> None:
    """Remove a file, if it is there."""
    with unless_missing(path):
        path.unlink()
        sync_folder(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder and those above it."""
    if path.is_dir():
        return
    make_folder(path.parent)
    with suppress(FileExistsError):
        path.mkdir(mode=FOLDER_MODE)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Sync a folder: otherwise a new name may be lost in a power cut, though its content is not."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
