"""Copies of a storage of files that is in use.

A file that is replaced as a whole is complete whenever it is opened, and stays as it was for who has opened it. One that grows is opened
under the lock of its store: what is in it then is complete, and is not changed by what is appended later.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO

from drivers.copies import StorageFile
from drivers.files import durable
from drivers.files.locking import Locks
from drivers.files.paths import GLOBAL, decoded
from drivers.names import Key


def copies(root: Path, replaced: str, growing: Collection[str], locks: Locks, notes: str) -> Iterator[StorageFile]:
    """Every file of the storage. `replaced`, `growing`: the suffixes of both kinds; `notes`: the folder of notes."""
    for path in _paths(root):
        relative = path.relative_to(root)
        suffix, key = path.name.partition(".")[2], _key(relative)
        if relative.parts[0] != notes and (key is None or (suffix != replaced and suffix not in growing)):
            continue
        locked = locks.held(key) if key is not None and suffix in growing and suffix != replaced else nullcontext()
        if (file := _opened(path, locked)) is not None:
            with file:
                yield StorageFile(relative.as_posix(), file, os.fstat(file.fileno()).st_size)


def _paths(root: Path) -> Iterator[Path]:
    """The files of hosts and of notes, and those in the folders of stores below them."""
    for host in _named(root, folders=True):
        folder = root / host
        yield from (folder / name for name in _named(folder, folders=False))
        for store in _named(folder, folders=True):
            yield from (folder / store / name for name in _named(folder / store, folders=False))


def _named(folder: Path, *, folders: bool) -> list[str]:
    with durable.unless_missing(folder), os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if (entry.is_dir() if folders else entry.is_file(follow_symlinks=False)))
    return []


def _key(relative: Path) -> Key | None:
    """The store of a file, as it is locked; None for a file that is not ours."""
    folder, *stores, name = relative.parts
    host = "" if folder == GLOBAL else decoded(folder)
    stem = decoded(name.partition(".")[0])
    store = decoded(stores[0]) if stores else stem
    if host is None or stem is None or store is None:
        return None
    return Key(host, stem if stores else "", store)


def _opened(path: Path, locked: AbstractContextManager[None]) -> BinaryIO | None:
    """The open file; None if it was removed meanwhile."""
    with durable.unless_missing(path), locked:
        return os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW), "rb")
    return None
