"""The storage contract on files, the same for every format."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from heapq import nsmallest
from pathlib import Path

from drivers import EVERY_ITEM, Addition, ArchiveItem, ArchiveQuery, BadStorageURL, Driver, Sort, Table, Value, doubts, error_of
from drivers.archives import checked_item, checked_query
from drivers.batches import Content, Place
from drivers.copies import OnCopied, StorageFile, unsaid
from drivers.files import archive, bulk, copying, durable, listindex, lists, notes, tree
from drivers.files.appending import append
from drivers.files.format import Format
from drivers.files.indexes import Indexes
from drivers.files.indexrows import HEAD
from drivers.files.locking import Locks
from drivers.files.paths import encoded_store, store_path
from drivers.files.records import located, opened, records, sort_of
from drivers.files.rewriting import take_out
from drivers.files.userpages import UserPages
from drivers.generations import Generations
from drivers.names import Key, check_name, checked_key
from drivers.observed import READ, StorageObserver, observed
from drivers.values import canonical, canonical_table

LAST = "accounts"
"""The store that a purge removes last: killed before, nobody can make the account again, and find what is left."""


class FileDriver(Driver):
    """The contract over a folder and a format."""

    def __init__(self, scheme: str, rest: str, base: Path, form: Format) -> None:
        if not rest:
            raise BadStorageURL(f"'{scheme}:' names no folder; write {scheme}:data")
        self._root = base / rest
        if self._root.exists() and not self._root.is_dir():
            raise BadStorageURL(f"'{scheme}:{rest}' names the file {self._root}; write the path of a folder")
        self._format = form
        self._generations = Generations(base)
        self._locks = Locks(self._root)
        self._indexes = Indexes(self._root, form, self._locks)
        self._pages = UserPages()
        self._suffixes = tuple(dict.fromkeys((form.keyval, form.list, form.archive)))

    def _path(self, key: Key, suffix: str) -> Path:
        return store_path(self._root, key, suffix)

    @contextmanager
    def _reading(self, path: Path) -> Iterator[int | None]:
        """A descriptor for reading a file of items, None if there is none."""
        with observed(self._locks.observer, READ), opened(path) as descriptor:
            if self._format.indexed and descriptor is not None:
                listindex.remove_if_wrong(path, descriptor)
            yield descriptor

    def _changing(self, path: Path) -> AbstractContextManager[None]:
        """A context for changing a file of items. The caller holds the lock."""
        return listindex.Removed(path) if self._format.indexed else nullcontext()

    def observed_by(self, observer: StorageObserver) -> None:
        self._locks.observed_by(observer)

    # keyval
    def load(self, user: str | None, host: str, store: str) -> Table | None:
        with observed(self._locks.observer, READ):
            return self._load(self._path(checked_key(user, host, store), self._format.keyval))

    def _load(self, path: Path) -> Table | None:
        data = durable.read(path)
        with located(path):
            return self._format.table(data) if data else None

    def store(self, user: str | None, host: str, store: str, data: Table | None) -> None:
        key, table = checked_key(user, host, store), canonical_table(data)
        with self._changed(key), self._locks.held(key):
            self._store(self._path(key, self._format.keyval), table)

    def _store(self, path: Path, table: Table | None) -> None:
        if table:
            durable.replace(path, [self._format.table_bytes(table)])
        else:
            durable.remove(path)

    def update(self, user: str | None, host: str, store: str, change: Callable[[Table | None], Table | None]) -> Table | None:
        key = checked_key(user, host, store)
        path = self._path(key, self._format.keyval)
        with self._changed(key), self._locks.held(key):
            table = canonical_table(change(self._load(path)))
            self._store(path, table)
            return table

    def unchanged(self, user: str | None, host: str, store: str) -> Callable[[], bool] | None:
        return self._generations.unchanged(user, host, store)

    def mark(self, user: str | None, host: str, store: str) -> object | None:
        return durable.mark(self._path(checked_key(user, host, store), self._format.keyval))

    @contextmanager
    def _changed(self, key: Key) -> Iterator[None]:
        """A context for a change of a table, or without a store, of all of a user."""
        try:
            yield
        finally:  # a change that failed may have been made all the same, if a folder could not be synced
            self._generations.changed(key.user, key.host, key.store or None)

    # list
    def list_load(self, user: str | None, host: str, store: str, start: int = 0, stop: int | None = None) -> list[Value] | None:
        start = max(0, start)
        stop = None if stop is None else max(start, stop)
        path = self._path(checked_key(user, host, store), self._format.list)
        with self._reading(path) as descriptor:
            if descriptor is None:
                return None
            if start > 0 or stop is not None:
                return lists.part(path, descriptor, self._format, self._indexes, start, stop)
            return [lists.value(self._format, record) for record in records(descriptor, self._format)] or None

    def list_append(self, user: str | None, host: str, store: str, item: Value) -> None:
        key, data = checked_key(user, host, store), self._format.item_bytes(canonical(item))
        path = self._path(key, self._format.list)
        with self._locks.held(key), self._changing(path):
            append(path, self._format, lambda _: data)

    def list_update(
        self, user: str | None, host: str, store: str, change: Callable[[list[Value] | None], Iterable[Value] | None]
    ) -> list[Value] | None:
        key = checked_key(user, host, store)
        with self._locks.held(key):
            items = [canonical(item) for item in change(self.list_load(user, host, store)) or ()]
            self._replace(self._path(key, self._format.list), [self._format.item_bytes(item) for item in items])
            return items or None

    def list_store(self, user: str | None, host: str, store: str, items: Iterable[Value]) -> None:
        key, data = checked_key(user, host, store), [self._format.item_bytes(canonical(item)) for item in items]
        with self._locks.held(key):
            self._replace(self._path(key, self._format.list), data)

    def _replace(self, path: Path, data: Sequence[bytes]) -> None:
        with self._changing(path):
            if data:
                durable.replace(path, data)
            else:
                durable.remove(path)
            self._indexes.forget(path)

    # both
    def bulk_write(self, contents: Sequence[Content]) -> list[Exception | None]:
        try:
            return bulk.write(self._format, self._path, self._write_content, contents)
        finally:
            for content in contents:
                self._generations.changed(content.user, content.host, content.store)

    # archive
    def archive_append(
        self, user: str | None, host: str, store: str, stanza: str, *, when: float, with_: str = "", key: str | None = None
    ) -> str:
        place = checked_key(user, host, store)
        # as long as the server's own ids: 18 random bytes in base64
        item = checked_item(ArchiveItem(secrets.token_urlsafe(18) if key is None else key, when, with_, stanza))
        if key is None:
            self._add(place, [item])
        else:
            self._put(place, [item])
        return item.id

    def archive_extend(self, user: str | None, host: str, store: str, items: Iterable[ArchiveItem]) -> None:
        place = checked_key(user, host, store)
        last: dict[str, ArchiveItem] = {}
        for item in items:
            last.pop(item.id, None)  # of several with one id the last one is stored, at the end
            last[item.id] = checked_item(item)
        if last:
            self._put(place, list(last.values()))

    def archive_extend_all(self, additions: Sequence[Addition]) -> list[Exception | None]:
        return [error_of(partial(self._extend, addition)) for addition in additions]

    def _extend(self, addition: Addition) -> None:
        user, host, store, items, new = addition
        if new:
            self._add(checked_key(user, host, store), [checked_item(item) for item in items])
        else:
            self.archive_extend(user, host, store, items)

    def _add(self, place: Key, items: Sequence[ArchiveItem]) -> None:
        """Add items whose ids are not in the archive, without reading it."""
        path = self._path(place, self._format.archive)
        if items:
            with self._locks.held(place), self._changing(path):
                append(path, self._format, lambda last: b"".join(self._format.archive_bytes(item, last) for item in items))

    def _put(self, place: Key, items: Sequence[ArchiveItem]) -> None:
        """Add items; those with the same ids are replaced."""
        with self._locks.rewriting(place):
            if not self._take_out(place, ArchiveQuery(ids=tuple(item.id for item in items)), items):
                self._add(place, items)

    def archive_find(self, user: str | None, host: str, store: str, query: ArchiveQuery = EVERY_ITEM) -> Iterator[ArchiveItem]:
        path = self._path(checked_key(user, host, store), self._format.archive)
        with self._reading(path) as descriptor:
            rows = self._indexes.opened(path, descriptor, HEAD.size)
            return archive.ItemReader(path, descriptor, rows, self._format, checked_query(query))

    def archive_count(self, user: str | None, host: str, store: str, query: ArchiveQuery = EVERY_ITEM) -> int:
        return self._count(user, host, store, query, None)

    def archive_count_within(self, user: str | None, host: str, store: str, query: ArchiveQuery = EVERY_ITEM, *, most: int) -> int:
        return self._count(user, host, store, query, most)

    def _count(self, user: str | None, host: str, store: str, query: ArchiveQuery, most: int | None) -> int:
        path = self._path(checked_key(user, host, store), self._format.archive)
        checked_query(query)
        with self._reading(path) as descriptor, self._indexes.rows(path, descriptor, HEAD.size) as rows:
            return archive.Search(rows, descriptor, self._format).count(query, most)

    rewrites_archives = True

    def archive_delete(self, user: str | None, host: str, store: str, query: ArchiveQuery = EVERY_ITEM) -> int:
        place = checked_key(user, host, store)
        checked_query(query)
        with self._locks.rewriting(place):
            return self._take_out(place, query, [])

    def _take_out(self, place: Key, query: ArchiveQuery, more: Sequence[ArchiveItem]) -> int:
        """Remove the items that match and, if any, add `more` in the same step; their number. The caller holds the rewriting lock."""
        path = self._path(place, self._format.archive)

        @contextmanager
        def changing() -> Iterator[None]:
            with self._locks.held(place), self._changing(path):
                yield

        return take_out(path, self._format, self._indexes, query, more, changing)

    # what is there
    def users(self, host: str, store: str | None = None) -> Iterator[str]:
        check_name("host", host)
        folders = tree.store_folders(self._root, host) if store is None else [encoded_store(store)]
        return tree.users(self._root, host, folders, self._suffixes)

    def users_page(self, host: str, store: str | None = None, *, after: str = "", limit: int) -> list[str]:
        check_name("host", host)

        folders = tree.store_folders(self._root, host) if store is None else [encoded_store(store)]

        def first(count: int, after: str) -> list[str]:
            repeated = len(folders) * len(self._suffixes)  # at most as many files does a user have
            return sorted({*nsmallest(count * repeated, tree.owners(self._root, host, folders, self._suffixes, after))})[:count]

        return self._pages.page((host, store), after, limit, first)

    def stores(self, user: str | None, host: str) -> Iterator[tuple[str, Sort]]:
        key = checked_key(user, host, "any")
        for store, suffix, path in tree.files(self._root, key.host, key.user, self._suffixes):
            sort = sort_of(self._format, suffix, path)
            if sort is not None:
                yield store, sort

    def places(self) -> Iterator[Place]:
        return bulk.places(self._root, self._suffixes, partial(sort_of, self._format))

    def hosts(self) -> Iterator[str]:
        return tree.hosts(self._root, self._suffixes)

    def purge(self, user: str, host: str) -> None:
        key = checked_key(user, host, "any")
        suffixes = (*self._suffixes, listindex.SUFFIX) if self._format.indexed else self._suffixes
        with self._changed(key._replace(store="")):
            found = tree.files(self._root, key.host, key.user, suffixes)
            for store, suffix, path in sorted(found, key=lambda file: file[0] == LAST):
                with self._locks.held(key._replace(store=store)), nullcontext() if suffix == self._format.keyval else self._changing(path):
                    durable.remove(path)
                    if suffix != self._format.keyval:
                        self._indexes.forget(path)

    def note(self, name: str, change: Callable[[Table | None], Table | None] | None = None) -> Table | None:
        return notes.note(self._root, self._locks, name, change)

    def doubts(self) -> Iterator[str]:
        if self._format.indexed:
            for path in sorted(self._root.glob(f"**/*.{listindex.SUFFIX}")):
                if not listindex.is_right(path):
                    yield f"{path}: is not the index of its list, and Prosody 13 does not show all of it; remove it: Prosody makes another"
        yield from doubts.about_roles(doubts.unseen_roles(sorted(self.hosts()), self.users))

    def copies(self, scratch: Path, progress: OnCopied = unsaid) -> Iterator[StorageFile]:
        form = self._format
        return copying.copies(self._root, form.keyval, (form.list, form.archive), self._locks, notes.FOLDER)

    def read_only(self) -> None:
        self._indexes.may_write = False

    def exists(self) -> bool:
        with durable.storage_errors(self._root):
            return self._root.is_dir()

    def close(self) -> None:
        """Nothing is kept open between calls."""
