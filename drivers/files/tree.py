"""Hosts, users and stores that have files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from drivers.files import durable
from drivers.files.paths import GLOBAL, decoded, encoded, host_folder


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What is in a folder, one at a time in memory; nothing if there is no such folder."""
    with durable.unless_missing(folder), os.scandir(folder) as entries:
        yield from entries


def hosts(root: Path, suffixes: Iterable[str]) -> Iterator[str]:
    """Hosts with any content; an empty name for content without a host."""
    for entry in _entries(root):
        host = "" if entry.name == GLOBAL else decoded(entry.name)
        if host is not None and entry.is_dir() and _has_content(Path(entry.path), tuple(suffixes)):
            yield host


def _has_content(folder: Path, suffixes: tuple[str, ...]) -> bool:
    """Whether there is a file of ours, as far as the first one: a folder may have a million."""
    folders = []
    for entry in _entries(folder):
        if _owner(entry.name, suffixes):
            return True
        if entry.is_dir():
            folders.append(Path(entry.path))
    return any(_owner(file.name, suffixes) for path in folders for file in _entries(path))


def _owner(name: str, suffixes: Iterable[str]) -> str | None:
    """The user or the store of a file; None for scratch files and foreign files."""
    stem, _, suffix = name.partition(".")
    return decoded(stem) if suffix in suffixes else None


def users(root: Path, host: str, store_folders: Iterable[str], suffixes: tuple[str, ...]) -> Iterator[str]:
    """Users with a file in any of these stores, each once."""
    seen: set[str] = set()
    for user in owners(root, host, store_folders, suffixes):
        if user not in seen:
            seen.add(user)
            yield user


def owners(root: Path, host: str, store_folders: Iterable[str], suffixes: tuple[str, ...], after: str = "") -> Iterator[str]:
    """The user of each file in any of these stores, if it comes after a name in the order of code points."""
    for name in store_folders:
        for entry in _entries(host_folder(root, host) / name):
            stem, _, suffix = entry.name.partition(".")
            if suffix in suffixes:
                user = stem if stem.isascii() and stem.isalnum() else decoded(stem)  # most names are not encoded
                if user is not None and user > after:
                    yield user


def store_folders(root: Path, host: str) -> list[str]:
    """Folder names of the stores of a host's users."""
    return [entry.name for entry in _entries(host_folder(root, host)) if decoded(entry.name) and entry.is_dir()]


def files(root: Path, host: str, user: str, suffixes: tuple[str, ...]) -> Iterator[tuple[str, str, Path]]:
    """Store, suffix and path of every file of a user, or of the host itself for an empty one."""
    folder = host_folder(root, host)
    if not user:
        yield from named_files(folder, suffixes)
        return
    name = encoded(user)
    for store_folder in store_folders(root, host):
        for suffix in suffixes:
            path = folder / store_folder / f"{name}.{suffix}"
            if _exists(path):
                yield decoded(store_folder) or "", suffix, path


def named_files(folder: Path, suffixes: tuple[str, ...]) -> Iterator[tuple[str, str, Path]]:
    """Owner, suffix and path of every file of a folder, one at a time in memory."""
    with durable.unless_missing(folder), os.scandir(folder) as entries:
        for entry in entries:
            owner = _owner(entry.name, suffixes)
            if owner is not None:
                yield owner, entry.name.partition(".")[2], Path(entry.path)


def _exists(path: Path) -> bool:
    with durable.unless_missing(path):
        return path.stat().st_size > 0
    return False
