"""Many files at a time: for migrations and imports."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path

from drivers import ArchiveItem, Content, Place, Sort, error_of
from drivers.archives import checked_item
from drivers.files import durable, listindex, tree
from drivers.files.format import Format
from drivers.files.paths import decoded, host_folder
from drivers.names import Key, checked_key
from drivers.values import canonical, canonical_table

File = tuple[Path, bytes]
Errors = list[Exception | None]


def write(form: Format, path_of: Callable[[Key, str], Path], singly: Callable[[Content], None], contents: Sequence[Content]) -> Errors:
    """Write contents, those that are simply new files at once, others `singly`; the exception of each, or None."""
    suffixes = {"keyval": form.keyval, "list": form.list, "archive": form.archive}
    files: dict[int, File] = {}

    def prepare(number: int, content: Content) -> None:
        path = path_of(checked_key(content.user, content.host, content.store), suffixes[content.sort])
        data = b"" if content.sort == "archive" and path.exists() else _file(form, content)
        if not data or (form.indexed and content.sort != "keyval" and listindex.is_there(path)):
            singly(content)
        else:
            files[number] = path, data

    errors = [error_of(partial(prepare, number, content)) for number, content in enumerate(contents)]
    for number, error in zip(files, replace_all([*files.values()]), strict=True):
        errors[number] = error
    return errors


def _file(form: Format, content: Content) -> bytes:
    """The whole file of a table, a list or a new archive; empty for none. Raises BadValue."""
    if content.sort == "keyval":
        table = canonical_table(content.content)
        return form.table_bytes(table) if table else b""
    if content.sort == "list":
        return b"".join(form.item_bytes(canonical(item)) for item in content.content)
    items: dict[str, ArchiveItem] = {}
    for item in content.content:
        items.pop(item.id, None)  # of several with one id the last one is stored, at the end
        items[item.id] = checked_item(item)
    return b"".join(form.archive_bytes(item, b"") for item in items.values())


def replace_all(files: Sequence[File]) -> Errors:
    """Replace the whole content of each of these files, which nobody else writes; durable at return. The exception of each, or None."""
    errors = _each(files, partial(_write, folders=set()), [None] * len(files))
    os.sync()  # all at once, which takes a hundredth of the time of one after the other; what is synced again below costs little
    errors = _each(files, _put, errors)
    failed = {folder: error_of(partial(_sync_folder, folder)) for folder in {path.parent for path, _ in files}}
    return [error or failed[path.parent] for (path, _), error in zip(files, errors, strict=True)]


def _each(files: Sequence[File], work: Callable[[Path, bytes], None], errors: Errors) -> Errors:
    return [error or error_of(partial(work, *file)) for file, error in zip(files, errors, strict=True)]


def _write(path: Path, data: bytes, *, folders: set[Path]) -> None:
    with durable.storage_errors(path):
        if path.parent not in folders:
            durable.make_folder(path.parent)
            folders.add(path.parent)
        descriptor = os.open(_scratch(path), durable.WRITE | os.O_TRUNC, durable.FILE_MODE)
        try:
            durable.write_all(descriptor, data)
        finally:
            os.close(descriptor)


def _put(path: Path, _: bytes) -> None:
    with durable.storage_errors(path):
        descriptor = os.open(_scratch(path), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(_scratch(path), path)


def _sync_folder(path: Path) -> None:
    with durable.storage_errors(path):
        durable.sync_folder(path)


def _scratch(path: Path) -> str:
    return f"{path}.new"


def places(root: Path, suffixes: tuple[str, ...], sort: Callable[[str, Path], Sort | None]) -> Iterator[Place]:
    """Every store with content; `sort` tells what is in a file with this suffix."""
    for host in tree.hosts(root, suffixes):
        folder = host_folder(root, host)
        found = [(None, store, suffix, path) for store, suffix, path in tree.named_files(folder, suffixes)]
        for user, store, suffix, path in chain(found, _of_users(folder, tree.store_folders(root, host), suffixes)):
            if kind := sort(suffix, path):
                yield Place(user, host, store, kind)


def _of_users(folder: Path, stores: Iterable[str], suffixes: tuple[str, ...]) -> Iterator[tuple[str | None, str, str, Path]]:
    for store in stores:
        for user, suffix, path in tree.named_files(folder / store, suffixes):
            yield user, decoded(store) or "", suffix, path
