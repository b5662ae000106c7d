"""How does everything move from one storage to another?

Store by store, each one read back and compared. What the target has already is left alone, so a migration that was interrupted is simply
started again; what differs there is reported, and replaced only if that is asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, NamedTuple

from drivers import NOTE, ArchiveItem, Driver, StorageError, Value
from drivers.stanzas import stanza_table
from drivers.values import entries_of

Sort = Literal["keyval", "list", "archive"]
Outcome = Literal["copied", "already there", "to copy", "differs", "failed"]
BATCH = 5000
"""Archive items written at a time: a file of items is read for each batch, as an id might be there already."""


class Place(NamedTuple):
    """Whose store: the user is None for the host's own, the host empty for what belongs to none."""

    user: str | None
    host: str
    store: str

    def __str__(self) -> str:
        owner = self.host if self.user is None else f"{self.user}@{self.host}"
        return f"{owner or 'no host'}: {self.store}"


@dataclass(frozen=True, slots=True)
class Step:
    """What became of one store. `items` counts members of a table, or items."""

    place: Place
    sort: Sort
    outcome: Outcome
    items: int
    sentence: str = ""


@dataclass(slots=True)
class Report:
    """What became of all: stores and items by outcome, and the steps that need attention."""

    stores: Counter[Outcome] = field(default_factory=Counter)
    items: Counter[Outcome] = field(default_factory=Counter)
    problems: list[Step] = field(default_factory=list)

    def add(self, step: Step) -> None:
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
    progress: Callable[[Step], None] = lambda step: None,
) -> Report:
    """Copy every store of `source` to `target`; `progress` hears of each.

    With `dry_run` nothing is written, and everything is read. A store that fails or differs does not stop the others. Raises StorageError
    where the stores cannot be listed.
    """
    report = Report()
    for place, sort in _contents(source):
        step = _step(_Copy(source, target, place, dry_run, overwrite), sort)
        report.add(step)
        progress(step)
    return report


def _contents(source: Driver) -> Iterator[tuple[Place, Sort]]:
    for host in source.hosts():
        owners: Iterable[str | None] = [None, *source.users(host)]
        for user in owners:
            for store, sort in source.stores(user, host):
                if host or not store.startswith(NOTE):
                    yield Place(user, host, store), sort


def _step(copy: _Copy, sort: Sort) -> Step:
    work = {"keyval": copy.keyval, "list": copy.items, "archive": copy.archive}[sort]
    try:
        outcome, items = work()
    except _Differs:
        return Step(copy.place, sort, "differs", 0, "the target has other content")
    except StorageError as e:
        return Step(copy.place, sort, "failed", 0, str(e))
    return Step(copy.place, sort, outcome, items)


class _Copy:
    """One store on its way."""

    def __init__(self, source: Driver, target: Driver, place: Place, dry_run: bool, overwrite: bool) -> None:
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
        """Goes on behind what the target has, if that is the beginning of the archive."""
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
        """Read from `items` what the target has; how many that are."""
        there = 0
        for old in self.target.archive_find(*self.place):
            item = next(items, None)
            if item is None or _plain_item(item) != _plain_item(old):
                raise _Differs
            there += 1
        return there

    def _compare(self, start: int, stop: int) -> None:
        """What was written, once and in one pass: a query for each batch would cost a pass, where the target is a file."""
        written = islice(self.target.archive_find(*self.place), start, stop)
        for item in islice(self.source.archive_find(*self.place), start, stop):
            other = next(written, None)
            if other is None or _plain_item(other) != _plain_item(item):
                raise StorageError("archive items that were written read back differently")


def _plain(value: Value) -> Any:
    """A value without what formats are free to choose: the order of keys, and null, 0/0 or an empty table."""
    if isinstance(value, (dict, list)):
        return {(type(key), key): _plain(item) for key, item in entries_of(value)}
    return {} if value is None or value != value else (type(value), value)


def _plain_item(item: ArchiveItem) -> tuple[Any, ...]:
    return item.id, item.when, item.with_, stanza_table(item.stanza)
