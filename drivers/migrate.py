"""Migration of all content from one storage to another.

Stores are copied one by one, each read back and compared. Content that the target has already is left alone, so an interrupted migration
is simply started again; differing content is reported, and replaced only on request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, NamedTuple

from drivers import NOTE, ArchiveItem, Driver, Sort, StorageError, Value
from drivers.stanzas import stanza_table
from drivers.values import entries_of

Outcome = Literal["copied", "already there", "to copy", "differs", "failed"]
BATCH = 5000
"""Archive items written at a time: a file of items is read for each batch, as an id might exist already."""


class MigrationPlace(NamedTuple):
    """A store with its user and host: the user is None for the host's own, the host "" for content without one."""

    user: str | None
    host: str
    store: str

    def __str__(self) -> str:
        owner = self.host if self.user is None else f"{self.user}@{self.host}"
        return f"{owner or 'no host'}: {self.store}"


@dataclass(frozen=True, slots=True)
class MigrationStep:
    """The outcome for one store. `items` is the number of members of a table, or of items."""

    place: MigrationPlace
    sort: Sort
    outcome: Outcome
    items: int
    sentence: str = ""


@dataclass(slots=True)
class Report:
    """The outcome for all stores: stores and items by outcome, and the steps that need attention."""

    stores: Counter[Outcome] = field(default_factory=Counter)
    items: Counter[Outcome] = field(default_factory=Counter)
    problems: list[MigrationStep] = field(default_factory=list)

    def add(self, step: MigrationStep) -> None:
        self.stores[step.outcome] += 1
        self.items[step.outcome] += step.items
        if step.outcome in ("differs", "failed"):
            self.problems.append(step)


class _Differs(Exception):
    """The target has other content."""


def migrate(
    source: Driver,
    target: Driver,
    *,
    dry_run: bool = False,
    overwrite: bool = False,
    progress: Callable[[MigrationStep], None] = lambda step: None,
) -> Report:
    """Copy every store of `source` to `target`; `progress` is called for each.

    With `dry_run` nothing is written, and everything is read. A store that fails or differs does not stop the others. Raises StorageError
    where the stores cannot be listed.
    """
    report = Report()
    for place, sort in _contents(source):
        step = _step(_Copy(source, target, place, dry_run, overwrite), sort)
        report.add(step)
        progress(step)
    return report


def _contents(source: Driver) -> Iterator[tuple[MigrationPlace, Sort]]:
    for host in source.hosts():
        owners: Iterable[str | None] = [None, *source.users(host)]
        for user in owners:
            for store, sort in source.stores(user, host):
                if host or not store.startswith(NOTE):
                    yield MigrationPlace(user, host, store), sort


def _step(copy: _Copy, sort: Sort) -> MigrationStep:
    work = {"keyval": copy.keyval, "list": copy.items, "archive": copy.archive}[sort]
    try:
        outcome, items = work()
    except _Differs:
        return MigrationStep(copy.place, sort, "differs", 0, "the target has other content")
    except StorageError as e:
        return MigrationStep(copy.place, sort, "failed", 0, str(e))
    return MigrationStep(copy.place, sort, outcome, items)


class _Copy:
    """The copying of one store."""

    def __init__(self, source: Driver, target: Driver, place: MigrationPlace, dry_run: bool, overwrite: bool) -> None:
        self.source, self.target, self.place = source, target, place
        self.dry_run, self.overwrite = dry_run, overwrite

    def keyval(self) -> tuple[Outcome, int]:
        table = self.source.load(*self.place)
        return self._whole(table, len(table or ()), self.target.load, self.target.store)

    def items(self) -> tuple[Outcome, int]:
        items = self.source.list_load(*self.place) or []
        return self._whole(items, len(items), self.target.list_load, self.target.list_store)

    def _whole(self, value: Any, items: int, load: Callable[..., Any], store: Callable[..., None]) -> tuple[Outcome, int]:
        there = load(*self.place)
        if there and _plain(there) == _plain(value):
            return "already there", items
        if there and not self.overwrite:
            raise _Differs
        if self.dry_run:
            return "to copy", items
        store(*self.place, value)
        if _plain(load(*self.place)) != _plain(value):
            raise StorageError("what was written reads back differently")
        return "copied", items

    def archive(self) -> tuple[Outcome, int]:
        """Copy the items after those that the target has, if these are the beginning of the archive."""
        items = self.source.archive_find(*self.place)
        try:
            there = self._in_common(items)
        except _Differs:
            if not self.overwrite:
                raise
            there, items = 0, self.source.archive_find(*self.place)
            if not self.dry_run:
                self.target.archive_delete(*self.place)
        if self.dry_run:
            new = sum(1 for _ in items)
            return ("to copy" if new else "already there"), there + new
        new = 0
        while batch := [*islice(items, BATCH)]:
            self.target.archive_extend(*self.place, batch)
            new += len(batch)
        if new:
            self._compare(there, there + new)
        return ("copied" if new else "already there"), there + new

    def _in_common(self, items: Iterator[ArchiveItem]) -> int:
        """Consume the `items` that the target has; their number."""
        there = 0
        for old in self.target.archive_find(*self.place):
            item = next(items, None)
            if item is None or _plain_item(item) != _plain_item(old):
                raise _Differs
            there += 1
        return there

    def _compare(self, start: int, stop: int) -> None:
        """Compare what was written in one pass: a query for each batch would cost a pass each if the target is a file."""
        written = islice(self.target.archive_find(*self.place), start, stop)
        for item in islice(self.source.archive_find(*self.place), start, stop):
            other = next(written, None)
            if other is None or _plain_item(other) != _plain_item(item):
                raise StorageError("archive items that were written read back differently")


def _plain(value: Value) -> Any:
    """A value for comparison, without what formats may choose: the order of keys, and null, 0/0 or an empty table."""
    if isinstance(value, (dict, list)):
        return {(type(key), key): _plain(item) for key, item in entries_of(value)}
    return {} if value is None or value != value else (type(value), value)


def _plain_item(item: ArchiveItem) -> tuple[Any, ...]:
    return item.id, item.when, item.with_, stanza_table(item.stanza)
