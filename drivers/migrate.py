"""Migration of all content from one storage to another.

Stores are copied a thousand at a time, each read back and compared. Content that the target has already is left alone, so an interrupted
migration is simply started again; differing content is reported, and replaced only on request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, Literal

from drivers import ArchiveItem, ArchiveQuery, Content, Driver, Place, StorageError, Value, derived, error_of
from drivers.batches import result_of
from drivers.stanzas import stanza_table
from drivers.values import entries_of

Outcome = Literal["copied", "already there", "to copy", "differs", "failed"]
BATCH = 5000
"""Archive items written at a time: a file of items is read for each batch, as an id might exist already."""
STORES = 1000
"""At most how many stores are copied at a time."""
MEMBERS = 50_000
"""About how many members of tables, and items, are copied at a time."""
SMALL = 100
"""Items of an archive that is copied along with others; a longer one is copied by itself."""
FIRST = ArchiveQuery(limit=1)


@dataclass(frozen=True, slots=True)
class MigrationStep:
    """The outcome for one store. `items` is the number of members of a table, or of items."""

    place: Place
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
    if not dry_run and target.exists():
        derived.outdate(target)
    report, places, size = Report(), source.places(), STORES
    while some := [*islice(places, size)]:
        batch = _Batch(source, target, some, dry_run=dry_run, overwrite=overwrite)
        for step in batch.steps():
            report.add(step)
            progress(step)
        size = max(1, min(STORES, size * MEMBERS // max(1, batch.members)))
    return report


class _Batch:
    """The copying of some stores."""

    def __init__(self, source: Driver, target: Driver, places: Sequence[Place], *, dry_run: bool, overwrite: bool) -> None:
        self._source, self._target, self._places = source, target, places
        self._dry_run, self._overwrite = dry_run, overwrite
        self._steps: dict[Place, MigrationStep] = {}
        self.members = 0

    def steps(self) -> Iterator[MigrationStep]:
        """What becomes of each, in their order; long archives are copied when it is their turn."""
        contents = self._contents()
        self._copy([content for content in contents if self._is_to_copy(content)])
        for place in self._places:
            yield self._steps.get(place) or self._alone(place)

    def _contents(self) -> list[Content]:
        """What has to be written or compared; archives only if they are short, and the target has none."""
        whole = [place for place in self._places if place.sort != "archive"]
        values = dict(zip(whole, self._source.bulk_read(whole), strict=True))
        there = dict(zip(whole, self._target.bulk_read(whole), strict=True))
        contents = []
        for place in self._places:
            value = values[place] if place in values else result_of(partial(self._short_archive, place))
            old = there.get(place)
            if isinstance(value, Exception):
                self._fail(place, value)
            elif isinstance(old, Exception):
                self._fail(place, old)
            elif place.sort != "archive" or value is not None:
                contents.append(Content(*place, value, new=not old))
                self.members += len(value or ())
                self._compare_first(place, value, old)
        return contents

    def _short_archive(self, place: Place) -> list[ArchiveItem] | None:
        items = [*islice(self._source.archive_find(*place[:3], ArchiveQuery(limit=SMALL + 1)), SMALL + 1)]
        return items if len(items) <= SMALL and next(self._target.archive_find(*place[:3], FIRST), None) is None else None

    def _compare_first(self, place: Place, value: Any, old: Any) -> None:
        if old and _plain(old) == _plain(value):
            self._steps[place] = MigrationStep(place, "already there", len(value))
        elif old and not self._overwrite:
            self._steps[place] = _differing(place)
        elif self._dry_run:
            self._steps[place] = MigrationStep(place, "to copy", len(value or ()))

    def _is_to_copy(self, content: Content) -> bool:
        return Place(*content[:4]) not in self._steps

    def _copy(self, contents: list[Content]) -> None:
        """Write contents, read them back, and compare."""
        for content, error in zip(contents, self._target.bulk_write(contents), strict=True):
            if error is not None:
                self._fail(Place(*content[:4]), error)
        contents = [content for content in contents if self._is_to_copy(content)]
        whole = [Place(*content[:4]) for content in contents if content.sort != "archive"]
        written = dict(zip(whole, self._target.bulk_read(whole), strict=True))
        for content in contents:
            place = Place(*content[:4])
            if error := error_of(partial(self._require_equal, content, written.get(place))):
                self._fail(place, error)
            else:
                self._steps[place] = MigrationStep(place, "copied", len(content.content or ()))

    def _require_equal(self, content: Content, written: Any) -> None:
        if content.sort == "archive":
            found = [_plain_item(item) for item in self._target.archive_find(*content[:3])]
            equal = found == [_plain_item(item) for item in content.content]
        else:
            equal = not isinstance(written, Exception) and _plain(written) == _plain(content.content)
        if not equal:
            raise StorageError("what was written reads back differently")

    def _fail(self, place: Place, error: Exception) -> None:
        if not isinstance(error, StorageError):
            raise error
        self._steps[place] = MigrationStep(place, "failed", 0, str(error))

    def _alone(self, place: Place) -> MigrationStep:
        """Copy an archive that is long, or of which the target has something."""
        try:
            outcome, items = _ArchiveCopy(self._source, self._target, place, self._dry_run, self._overwrite).run()
        except _Differs:
            return _differing(place)
        except StorageError as e:
            return MigrationStep(place, "failed", 0, str(e))
        return MigrationStep(place, outcome, items)


def _differing(place: Place) -> MigrationStep:
    return MigrationStep(place, "differs", 0, "the target has other content")


class _Differs(Exception):
    """The target has other content."""


class _ArchiveCopy:
    """The copying of one archive."""

    def __init__(self, source: Driver, target: Driver, place: Place, dry_run: bool, overwrite: bool) -> None:
        self.source, self.target, self.place = source, target, place[:3]
        self.dry_run, self.overwrite = dry_run, overwrite

    def run(self) -> tuple[Outcome, int]:
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
