"""The storage contract, which every driver fulfils, and `open_driver(url)`.

A driver keeps three sorts of content, named as in Prosody's datamanager and addressed by `(user, host, store)`:

* keyval: one table per key (`load`, `store`, `update`); an empty table is the same as no table;
* list: ordered items of any value (`list_load`, `list_append`, `list_update`, `list_store`); an empty list is the same as none;
* archive: stanzas with an id, a time and a partner (`archive_append`, `archive_find`, `archive_count`, `archive_delete`).

`user` is the localpart, or None for what belongs to the host itself. Names are stored unchanged: the caller prepares
them (nodeprep, nameprep).

A *value* is what JSON can express: str, int, float, bool, None, list, dict with str keys. A table that JSON cannot express (mixed keys)
is a dict whose member `__array` holds the entries 1…n, and whose member `__hash` is a flat list key, value, key, value, … of every
entry with a key that is not a string: the form in which Prosody's SQL storage and its data API write such tables.

Every write is atomic and durable before the call returns, and safe between threads and processes. Only the removal of much
(`archive_delete`, `purge`, `list_store` of nothing) may be made in parts, so that others need not wait: after an error or a crash some
is gone, and what `purge` removes last is the store `accounts`.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import nsmallest
from itertools import chain, islice
from pathlib import Path

from drivers.batches import Addition as Addition
from drivers.batches import ArchiveItem as ArchiveItem
from drivers.batches import Content as Content
from drivers.batches import MemberChange as MemberChange
from drivers.batches import Place as Place
from drivers.batches import Sort as Sort
from drivers.batches import Table as Table
from drivers.batches import Value as Value
from drivers.batches import Write as Write
from drivers.batches import error_of as error_of
from drivers.batches import result_of
from drivers.copies import OnCopied, StorageFile, unsaid
from drivers.errors import BadStorageURL as BadStorageURL
from drivers.errors import BadValue as BadValue
from drivers.errors import CommitInDoubt as CommitInDoubt
from drivers.errors import ItemNotFound as ItemNotFound
from drivers.errors import NoCopies as NoCopies
from drivers.errors import StorageError as StorageError
from drivers.members import changed_members, members_of
from drivers.node_table import NodeTable
from drivers.observed import StorageObserver
from drivers.shared import LeaseLost as LeaseLost
from drivers.shared import Shared as Shared


@dataclass(frozen=True, slots=True)
class ArchiveQuery:
    """The conditions for items of an archive, which must all hold. The order is that of arrival."""

    start: float | None = None  # Unix time, inclusive
    end: float | None = None  # Unix time, inclusive
    with_: str | None = None  # exact partner
    before: str | None = None  # only what arrived before the item of this id
    after: str | None = None  # only what arrived after the item of this id
    ids: tuple[str, ...] | None = None
    limit: int | None = None
    newest_first: bool = False  # changes the order, and so the items that `limit` keeps


NOTE = "xmpprest_note_"
"""Prefix of the names of stores that hold notes, in drivers without a better place for them (`Driver.note`)."""
EVERY_ITEM = ArchiveQuery()
"""The query without conditions."""


class Driver(ABC):
    """The storage contract. Methods raise StorageError; `update`'s function may raise anything, and then nothing is written."""

    # keyval
    @abstractmethod
    def load(self, user: str | None, host: str, store: str) -> Table | None:
        """The table, or None if there is none (or an empty one)."""

    @abstractmethod
    def store(self, user: str | None, host: str, store: str, data: Table | None) -> None:
        """Replace the table; None or an empty one removes it."""

    @abstractmethod
    def update(self, user: str | None, host: str, store: str, change: Callable[[Table | None], Table | None]) -> Table | None:
        """Load, `change` and store the table atomically; the new table."""

    reads_members = False
    """Whether the cost of reading or changing some members of a table does not depend on the others."""

    def load_members(self, user: str | None, host: str, store: str, keys: Collection[str]) -> Table | None:
        """As `load`, but of the members with text for keys only those with these; None if there is nothing else either."""
        return members_of(self.load(user, host, store), keys)

    def update_members(self, user: str | None, host: str, store: str, keys: Collection[str], change: MemberChange) -> None:
        """As `update`, but `change` gets and gives what `load_members` reads; the other members stay."""
        self.update(user, host, store, lambda table: changed_members(table, keys, change))

    def unchanged(self, user: str | None, host: str, store: str) -> Callable[[], bool] | None:
        """What tells whether no process with the same data folder has written this table since now; None: nobody knows.

        The table, if it was loaded afterwards, need not be loaded again as long as it says so, but for what other programs write. A write
        counts once its call has returned.
        """
        return None

    def mark(self, user: str | None, host: str, store: str) -> object | None:
        """What is different once any program has written this table since it was asked for; None: only reading the table tells.

        Asked for before the table is loaded, and much cheaper than that.
        """
        return None

    # list
    @abstractmethod
    def list_load(self, user: str | None, host: str, store: str, start: int = 0, stop: int | None = None) -> list[Value] | None:
        """The items from `start` (0-based) up to, not including, `stop`; None if there is no list."""

    @abstractmethod
    def list_append(self, user: str | None, host: str, store: str, item: Value) -> None:
        """Add one item at the end, at a cost that does not depend on the length of the list."""

    @abstractmethod
    def list_update(
        self, user: str | None, host: str, store: str, change: Callable[[list[Value] | None], Iterable[Value] | None]
    ) -> list[Value] | None:
        """Load, `change` and store the list atomically; the new list. As `update`."""

    @abstractmethod
    def list_store(self, user: str | None, host: str, store: str, items: Iterable[Value]) -> None:
        """Replace the whole list; no items removes it."""

    # both
    def write_all(self, writes: Sequence[Write], more: Callable[[], Sequence[Write]] = tuple) -> list[Exception | None]:
        """As `store`, or `list_append`, for each of them, but faster in some drivers; the exception of each, or None.

        `more` gives what has come meanwhile, to be written after these: called at most once, when the writing can begin.
        """
        return [error_of(partial(self.list_append if w.appends else self.store, *w[:4])) for w in (*writes, *more())]

    def bulk_write(self, contents: Sequence[Content]) -> list[Exception | None]:
        """As `store`, `list_store` or `archive_extend` for each of them, but much faster in some drivers; the exception of each, or None.

        For migrations and imports, which give thousands at a time. Each store is named once in a call, and nobody else writes these
        stores meanwhile. Each is written whole or not at all; all are durable when this returns.
        """
        return [error_of(partial(self._write_content, content)) for content in contents]

    def _write_content(self, content: Content) -> None:
        if content.sort == "archive" and content.new:
            (error,) = self.archive_extend_all([Addition(content.user, content.host, content.store, content.content, new=True)])
            if error is not None:
                raise error
            return
        write = {"keyval": self.store, "list": self.list_store, "archive": self.archive_extend}[content.sort]
        write(content.user, content.host, content.store, content.content)

    def bulk_read(self, places: Sequence[Place]) -> list[Table | list[Value] | Exception | None]:
        """As `load` or `list_load` for each of them, but much faster in some drivers; or its exception. Not for archives."""
        return [result_of(partial(self.list_load if place.sort == "list" else self.load, *place[:3])) for place in places]

    # archive
    @abstractmethod
    def archive_append(
        self, user: str | None, host: str, store: str, stanza: str, *, when: float, with_: str = "", key: str | None = None
    ) -> str:
        """Store a stanza; its id (a new, unguessable one without `key`). An item with the same id is replaced, and becomes the last."""

    def archive_extend(self, user: str | None, host: str, store: str, items: Iterable[ArchiveItem]) -> None:
        """Store several items with their ids, in order; as `archive_append` for each, but faster in some drivers."""
        for item in items:
            self.archive_append(user, host, store, item.stanza, when=item.when, with_=item.with_, key=item.id)

    def archive_extend_all(self, additions: Sequence[Addition]) -> list[Exception | None]:
        """As `archive_extend` for each of them, but faster in some drivers; the exception of each, or None."""
        return [error_of(partial(self.archive_extend, a.user, a.host, a.store, a.items)) for a in additions]

    @abstractmethod
    def archive_find(self, user: str | None, host: str, store: str, query: ArchiveQuery = EVERY_ITEM) -> Iterator[ArchiveItem]:
        """The items that match. Raises ItemNotFound for an unknown `before` or `after`."""

    @abstractmethod
    def archive_count(self, user: str | None, host: str, store: str, query: ArchiveQuery = EVERY_ITEM) -> int:
        """The number of items that match (`limit` is ignored)."""

    def archive_count_within(self, user: str | None, host: str, store: str, query: ArchiveQuery = EVERY_ITEM, *, most: int) -> int:
        """As `archive_count`, but `most` if there are more; the cost does not grow with what is beyond that, in some drivers."""
        return min(self.archive_count(user, host, store, query), most)

    rewrites_archives = False
    """Whether a removal costs what the whole archive costs, however few items it takes out: then as many as possible should go at once."""

    @abstractmethod
    def archive_delete(self, user: str | None, host: str, store: str, query: ArchiveQuery = EVERY_ITEM) -> int:
        """Remove the items that match (also by `limit` and `newest_first`); their number."""

    # what is there
    @abstractmethod
    def users(self, host: str, store: str | None = None) -> Iterator[str]:
        """Localparts with content in `store` (any store without it) at `host`, in no particular order."""

    def users_page(self, host: str, store: str | None = None, *, after: str = "", limit: int) -> list[str]:
        """The first `limit` of `users` that come after a name, in the order of code points (which is that of UTF-8, and PostgreSQL's "C").

        The cost does not grow with how many there are, in some drivers. Pages of a storage that is written meanwhile have each name
        that is there all the time exactly once.
        """
        return nsmallest(limit, (user for user in self.users(host, store) if user > after))

    def tables_page(self, host: str, store: str, *, after: str = "", limit: int) -> list[tuple[str, Table]]:
        """The tables of the users that `users_page` tells, with their names; users without a table are left out, so a page may be short.

        An empty page is the last one.
        """
        while names := self.users_page(host, store, after=after, limit=limit):
            tables = self.bulk_read([Place(name, host, store, "keyval") for name in names])
            for table in tables:
                if isinstance(table, Exception):
                    raise table
            if found := [(name, table) for name, table in zip(names, tables, strict=True) if isinstance(table, dict | list)]:
                return found
            after = names[-1]
        return []

    def users_below(self, host: str, store: str, member: str, most: float) -> Iterator[str]:
        """The `users` whose table has a number at this member that is `most` or less, in no particular order.

        The cost does not grow with how many others there are, in some drivers: for the last use of rooms (`used` in `muc`).
        """
        users = self.users(host, store)
        while some := list(islice(users, 500)):
            for user, table in zip(some, self.bulk_read([Place(user, host, store, "keyval") for user in some]), strict=True):
                if isinstance(table, Exception):
                    raise table
                number = table.get(member) if isinstance(table, dict) else None
                if isinstance(number, (int, float)) and not isinstance(number, bool) and number <= most:
                    yield user

    @abstractmethod
    def stores(self, user: str | None, host: str) -> Iterator[tuple[str, Sort]]:
        """Names of the stores with content of this user, each with its kind."""

    @abstractmethod
    def hosts(self) -> Iterator[str]:
        """Hosts with any content."""

    def places(self) -> Iterator[Place]:
        """Every store with content: once each, in no particular order."""
        for host in self.hosts():
            owners: Iterator[str | None] = chain([None], self.users(host))
            for user in owners:
                for store, sort in self.stores(user, host):
                    if host or not store.startswith(NOTE):
                        yield Place(user, host, store, sort)

    def count_places(self) -> int:
        """The number of stores with content; about right if others write meanwhile."""
        return sum(1 for _ in self.places())

    @abstractmethod
    def purge(self, user: str, host: str) -> None:
        """Remove everything of this user: keyval, lists and archives."""

    # about the storage itself
    def note(self, name: str, change: Callable[[Table | None], Table | None] | None = None) -> Table | None:
        """A small table about the storage itself, which is not content: not listed, not copied by a migration.

        As `load` without `change`, as `update` with it.
        """
        if change is None:
            return self.load(None, "", f"{NOTE}{name}")
        return self.update(None, "", f"{NOTE}{name}", change)

    # lifetime
    def exists(self) -> bool:
        """Whether this storage exists already. Does not make it; called before any other method. Raises StorageError."""
        return True

    def read_only(self) -> None:  # noqa: B027  # not every driver can tell
        """From now on write nothing, not even on opening. For a storage that exists; called before any other method but `exists`."""

    shared = False
    """Whether gateways on several machines can use the storage, and meet in it."""

    def open_shared(self, domain: str, *, url: str = "", notify: bool = True, poll: float = 0.02, lease: float = 3.0) -> Shared:
        """What the gateways of a domain share: once per process, after the fork. Connects, and makes what is missing, at the first call.

        `url`: another way to the same storage, for what a pooler cannot do. Without `notify`, frames are polled for, each `poll` seconds.
        `lease`: seconds of silence after which a node counts as gone. Raises StorageError where `shared` is not so.
        """
        raise StorageError("this storage is for one machine; for several, [storage] url must name a PostgreSQL database", lasting=True)

    def node_table(self, domain: str) -> NodeTable:
        """The rows of the gateways of a domain, by the connections that the driver has; made at the first call.

        Raises StorageError where `shared` is not so.
        """
        raise StorageError("this storage is for one machine, and knows of no others")

    def in_cluster(self, lease: float) -> None:  # noqa: B027  # for those that are `shared`
        """From now on others write as well, who do not use this data folder; called before any other method but `read_only`.

        `lease`: as for `open_shared`; a transaction whose process stands still does not hold others up for longer than two thirds of it.
        """

    def observed_by(self, observer: StorageObserver) -> None:  # noqa: B027  # not every driver tells
        """Tell `observer`, and no other one, of each commit and each error from now on."""

    def check(self) -> None:
        """Open and read the storage, and make what is missing. Raises StorageError."""
        next(self.hosts(), None)

    def doubts(self) -> Iterator[str]:
        """Content that would break another program that uses the storage, a sentence each. May read everything; changes nothing."""
        return iter(())

    def copies(self, scratch: Path, progress: OnCopied = unsaid) -> Iterator[StorageFile]:
        """The storage as files, for a backup, while others write: everything that was written before this call is in them.

        Each is to be read before the next one, and is closed then. `scratch`: an empty folder, for what has to be copied first.
        Raises NoCopies, StorageError.
        """
        raise NoCopies("this storage driver makes no copies; back its storage up with what the storage itself offers")

    @abstractmethod
    def close(self) -> None:
        """Close files and connections; the driver is not used afterwards."""


DRIVERS = {
    "sqlite": ".sqlite:SQLite",
    "flatfile": ".flatfile:FlatFile",
    "jsonfile": ".jsonfile:JSONFile",
    "postgres": ".postgres:Postgres",
    "postgresql": ".postgres:Postgres",
}
"""URL scheme → module and class of the driver, relative to this package, which has another name in the wheel.

Each class is called with what follows the scheme, and the base folder of relative paths.
"""


def open_driver(url: str, base: Path) -> Driver:
    """Open the storage that `url` names: `SCHEME:PATH` of the table above, or `package.module:Class:REST` of a third party.

    Relative paths are below `base`. Raises BadStorageURL.
    """
    scheme, _, rest = url.partition(":")
    target = DRIVERS.get(scheme)
    if target is None:
        name, _, rest = rest.partition(":")
        target = f"{scheme}:{name}"
        if "." not in scheme or not name.isidentifier():
            known = ", ".join(sorted(DRIVERS))
            # not the whole URL: it may hold a password
            raise BadStorageURL(f"{scheme!r} names no storage driver; write one of {known} and a path, or package.module:Class:…")
    module, _, name = target.partition(":")
    try:
        cls = getattr(importlib.import_module(module, __package__), name)
    except (ImportError, AttributeError, ValueError) as e:
        raise BadStorageURL(f"cannot load the storage driver {target.lstrip('.')}: {e}") from e
    driver = cls(rest, base)
    if not isinstance(driver, Driver):
        raise BadStorageURL(f"{target} is not a Driver of xmpp_rest.storage")
    return driver
