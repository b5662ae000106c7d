"""The storage contract on SQL tables, the same for every database; the engine differs."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from drivers import (
    EVERY_ITEM,
    NOTE,
    Addition,
    ArchiveItem,
    ArchiveQuery,
    Content,
    Driver,
    MemberChange,
    Place,
    Sort,
    StorageError,
    Table,
    Value,
    Write,
)  # fmt: skip
from drivers.archives import checked_item, checked_query, is_whole
from drivers.generations import Generations
from drivers.names import Key, check_name, checked_key
from drivers.observed import StorageObserver
from drivers.sql import archive, bulk, contents, keyval, lists, notes, positions, removal, summary
from drivers.sql.session import DatabaseSession, Engine
from drivers.sql.timeline import Timeline
from drivers.values import canonical, canonical_table

Change = tuple[Key, Callable[[DatabaseSession], None]]
"""What is changed, and the work on the tables."""

MOST = 2**62  # more items than there can be


class SQLDriver(Driver):
    """The contract over an engine."""

    reads_members = True

    def __init__(self, engine: Engine, generations: Generations) -> None:
        self._engine = engine
        self._generations = generations
        self._timeline = Timeline(engine)

    def observed_by(self, observer: StorageObserver) -> None:
        self._engine.observed_by(observer)

    def load(self, user: str | None, host: str, store: str) -> Table | None:
        key = checked_key(user, host, store)
        return self._engine.read(lambda session: keyval.load(session, key))

    def store(self, user: str | None, host: str, store: str, data: Table | None) -> None:
        key, table = checked_key(user, host, store), canonical_table(data)
        with self._changing(key):
            self._engine.write(key, lambda session: keyval.store(session, key, table))

    def update(self, user: str | None, host: str, store: str, change: Callable[[Table | None], Table | None]) -> Table | None:
        key = checked_key(user, host, store)

        def work(session: DatabaseSession) -> Table | None:
            table = canonical_table(change(keyval.load(session, key)))
            keyval.store(session, key, table)
            return table

        with self._changing(key):
            return self._engine.write(key, work)

    def load_members(self, user: str | None, host: str, store: str, keys: Collection[str]) -> Table | None:
        key = checked_key(user, host, store)
        return self._engine.read(lambda session: keyval.load_members(session, key, keys))

    def update_members(self, user: str | None, host: str, store: str, keys: Collection[str], change: MemberChange) -> None:
        key = checked_key(user, host, store)
        with self._changing(key):
            self._engine.write(key, lambda session: keyval.update_members(session, key, keys, change))

    def unchanged(self, user: str | None, host: str, store: str) -> Callable[[], bool] | None:
        return self._generations.unchanged(user, host, store)

    @contextmanager
    def _changing(self, key: Key) -> Iterator[None]:
        """A context for a change of a table, or without a store, of all of a user.

        A change that failed may have been made all the same, if the connection was lost.
        """
        try:
            yield
        finally:
            self._generations.changed(key.user, key.host, key.store or None)

    def list_load(self, user: str | None, host: str, store: str, start: int = 0, stop: int | None = None) -> list[Value] | None:
        key = checked_key(user, host, store)
        part = self._engine.read(lambda session: lists.load(session, key, max(0, start), stop))
        if part.skipped > 2 * positions.EACH:
            positions.learn(self._engine, key, start)
        return part.items

    def list_append(self, user: str | None, host: str, store: str, item: Value) -> None:
        key, value = checked_key(user, host, store), canonical(item)
        self._engine.write(key, lambda session: lists.append(session, key, value))

    def list_update(
        self, user: str | None, host: str, store: str, change: Callable[[list[Value] | None], Iterable[Value] | None]
    ) -> list[Value] | None:
        key = checked_key(user, host, store)

        def work(session: DatabaseSession) -> list[Value] | None:
            items = [canonical(item) for item in change(lists.load(session, key).items) or ()]
            lists.store(session, key, items)
            return items or None

        return self._engine.write(key, work)

    def list_store(self, user: str | None, host: str, store: str, items: Iterable[Value]) -> None:
        key, values = checked_key(user, host, store), [canonical(item) for item in items]
        if values:
            self._engine.write(key, lambda session: lists.store(session, key, values))
        else:
            removal.list_remove(self._engine, key)

    def write_all(self, writes: Sequence[Write], more: Callable[[], Sequence[Write]] = tuple) -> list[Exception | None]:
        begun: list[Write] = []

        def changes(some: Sequence[Write]) -> list[Callable[[], Change]]:
            begun.extend(some)
            return [partial(_writing, write) for write in some]

        try:
            return self._all_written(changes(writes), lambda: changes(more()))
        finally:
            for write in begun:
                if not write.appends:
                    self._generations.changed(write.user, write.host, write.store)

    def _all_written(
        self, changes: Sequence[Callable[[], Change]], more: Callable[[], Sequence[Callable[[], Change]]] = tuple
    ) -> list[Exception | None]:
        """Make changes, in one transaction if the database can; the exception of each, also of looking at what it is."""
        errors: list[Exception | None] = []

        def works(some: Sequence[Callable[[], Change]]) -> Iterator[Change]:
            for change in some:
                try:
                    work = change()
                except Exception as e:
                    errors.append(e)
                else:
                    errors.append(None)
                    yield work

        written = iter(self._engine.write_all(list(works(changes)), lambda: list(works(more()))))
        return [next(written) if error is None else error for error in errors]

    def bulk_write(self, contents: Sequence[Content]) -> list[Exception | None]:
        try:
            checked = bulk.Contents(contents)
            try:
                self._engine.bulk_write(checked.write)
            finally:
                for key in checked.tables:
                    self._generations.changed(key.user, key.host, key.store)
        except StorageError:
            return super().bulk_write(contents)  # one by one, to learn which of them it was
        return [None] * len(contents)

    def bulk_read(self, places: Sequence[Place]) -> list[Table | list[Value] | Exception | None]:
        try:
            return self._engine.read(lambda session: bulk.read(session, places))
        except StorageError:
            return super().bulk_read(places)  # one by one, to learn which of them it was

    def archive_append(
        self, user: str | None, host: str, store: str, stanza: str, *, when: float, with_: str = "", key: str | None = None
    ) -> str:
        place = checked_key(user, host, store)
        item = checked_item(ArchiveItem(str(uuid.uuid4()) if key is None else key, when, with_, stanza))
        self._engine.write(place, lambda session: archive.extend(session, place, [item]))
        return item.id

    def archive_extend(self, user: str | None, host: str, store: str, items: Iterable[ArchiveItem]) -> None:
        place, checked = checked_key(user, host, store), [checked_item(item) for item in items]
        self._engine.write(place, lambda session: archive.extend(session, place, checked))

    def archive_extend_all(self, additions: Sequence[Addition]) -> list[Exception | None]:
        return self._all_written([partial(_extension, addition) for addition in additions])

    def archive_find(self, user: str | None, host: str, store: str, query: ArchiveQuery = EVERY_ITEM) -> Iterator[ArchiveItem]:
        key = checked_key(user, host, store)
        checked_query(query)

        def work(session: DatabaseSession) -> tuple[archive.ItemSelection, list[int], list[ArchiveItem]]:
            # with a limit it is faster to read in the order of arrival
            selection = archive.ItemSelection(session, key, query, self._timeline.bounds(session, key, query))
            return selection, *selection.begun(session, query, query.limit)

        self._timeline.prepare(key, query)
        return archive.each(self._engine, query, *self._engine.read(work))

    def archive_count(self, user: str | None, host: str, store: str, query: ArchiveQuery = EVERY_ITEM) -> int:
        return self.archive_count_within(user, host, store, query, most=MOST)

    def archive_count_within(self, user: str | None, host: str, store: str, query: ArchiveQuery = EVERY_ITEM, *, most: int) -> int:
        key, query = checked_key(user, host, store), replace(checked_query(query), limit=None)
        if is_whole(query):
            return min(most, summary.count(self._engine, key))
        self._timeline.prepare(key, query)

        def work(session: DatabaseSession) -> int:
            return archive.ItemSelection(session, key, query, self._timeline.bounds(session, key, query)).count_within(session, most)

        return self._engine.read(work)

    def archive_delete(self, user: str | None, host: str, store: str, query: ArchiveQuery = EVERY_ITEM) -> int:
        key = checked_key(user, host, store)
        checked_query(query)
        return removal.archive_delete(self._engine, self._timeline, key, query)

    def users(self, host: str, store: str | None = None) -> Iterator[str]:
        check_name("host", host)
        return contents.users(self._engine, host, store)

    def users_page(self, host: str, store: str | None = None, *, after: str = "", limit: int) -> list[str]:
        if store is None:  # the database may have another order
            return super().users_page(host, after=after, limit=limit)
        check_name("host", host)
        return self._engine.read(partial(contents.page, host=host, store=store, after=after, limit=limit))

    def users_below(self, host: str, store: str, member: str, most: float) -> Iterator[str]:
        if (store, member) != contents.NUMBERED:
            return super().users_below(host, store, member, most)
        check_name("host", host)
        return iter(self._engine.read(lambda session: contents.users_below(session, host, most)))

    def stores(self, user: str | None, host: str) -> Iterator[tuple[str, Sort]]:
        key = checked_key(user, host, "any")
        return iter(self._engine.read(lambda session: contents.stores(session, key.host, key.user)))

    def places(self) -> Iterator[Place]:
        return bulk.places(self._engine)

    def count_places(self) -> int:
        return self._engine.read(bulk.count)

    def hosts(self) -> Iterator[str]:
        return iter(self._engine.read(contents.hosts))

    def purge(self, user: str, host: str) -> None:
        key = checked_key(user, host, "any")
        with self._changing(key._replace(store="")):
            removal.purge(self._engine, self._timeline, key)

    def note(self, name: str, change: Callable[[Table | None], Table | None] | None = None) -> Table | None:
        if change is None:
            return self._engine.read(lambda session: notes.load(session, name))
        return self._engine.write(Key("", "", f"{NOTE}{name}"), lambda session: notes.update(session, name, change))

    def exists(self) -> bool:
        return self._engine.exists()

    def read_only(self) -> None:
        self._engine.read_only()

    def close(self) -> None:
        self._engine.close()


def _writing(write: Write) -> Change:
    """The key and the work for a write. Raises BadValue."""
    key = checked_key(write.user, write.host, write.store)
    if write.appends:
        item = canonical(write.content)
        return key, lambda session: lists.append(session, key, item)
    table = canonical_table(write.content)
    return key, lambda session: keyval.store(session, key, table)


def _extension(addition: Addition) -> Change:
    """The key and the work for an addition. Raises BadValue."""
    place, items = checked_key(addition.user, addition.host, addition.store), [checked_item(item) for item in addition.items]
    return place, lambda session: archive.extend(session, place, items, new=addition.new)
