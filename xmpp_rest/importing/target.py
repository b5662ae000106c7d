"""The target of an import: tables and archives are queued and written in batches, and counted in the report once they are there."""

from __future__ import annotations

import errno
import hashlib
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element, tostring

from drivers import ArchiveItem, BadValue, Content, Driver, Table, derived
from xmpp_rest.auth.record import ACCOUNTS
from xmpp_rest.importing.report import ImportReport

MOST = 2000
"""Tables and items that are queued."""


class Owner(NamedTuple):
    """Whose content it is: an account, a room, or with None a domain."""

    user: str | None
    host: str

    def __str__(self) -> str:
        return self.host if self.user is None else f"{self.user}@{self.host}"


class _Queued(NamedTuple):
    content: Content
    counts: Counter[str]  # kind → number


class ImportTarget:
    """Writes to a driver, or with `dry_run` only counts. Methods raise StorageError where the storage cannot be used at all."""

    def __init__(self, driver: Driver | None, report: ImportReport, *, dry_run: bool) -> None:
        """`driver`: None for a storage that does not exist yet, which is read as empty."""
        self._driver = driver
        self._report = report
        self._dry_run = dry_run
        self._queue: list[_Queued] = []
        self._size = 0
        self._places: set[tuple[str | None, str, str]] = set()
        self._owners: set[Owner] = set()
        if driver and not dry_run:
            derived.outdate(driver)

    def load(self, owner: Owner, store: str) -> Table | None:
        """The table that the target has, queued ones included."""
        self._settle(owner)
        return self._driver.load(*owner, store) if self._driver else None

    def is_empty(self, owner: Owner) -> bool:
        """Whether the target has nothing of this account or room."""
        self._settle(owner)
        return self._driver is None or next(iter(self._driver.stores(*owner)), None) is None

    def ids(self, owner: Owner, store: str) -> Iterator[str]:
        """The ids of an archive of the target, in order."""
        self._settle(owner)
        return (item.id for item in self._driver.archive_find(*owner, store)) if self._driver else iter(())

    def clear(self, owner: Owner, store: str) -> None:
        """Remove an archive of the target."""
        self._settle(owner)
        if self._driver and not self._dry_run:
            self._driver.archive_delete(*owner, store)

    def put(self, owner: Owner, store: str, table: Table, counts: Counter[str], *, new: bool = False) -> None:
        """Queue a table. `counts`: what it holds, by kind; `new`: the target has none."""
        self._add(owner, _Queued(Content(*owner, store, "keyval", table, new), counts), 1)

    def extend(self, owner: Owner, store: str, items: Sequence[ArchiveItem], kind: str, *, new: bool = False) -> None:
        """Queue items for the end of an archive. `new`: it has none with these ids, which are all different."""
        if items:
            self._add(owner, _Queued(Content(*owner, store, "archive", items, new), Counter({kind: len(items)})), len(items))

    def flush(self) -> None:
        """Write what is queued, records of accounts last: no account may lack its archives. Raises StorageError."""
        queue, self._queue, self._size = self._queue, [], 0
        self._owners.clear()
        self._places.clear()
        self._write([queued for queued in queue if queued.content.store != ACCOUNTS])
        self._write([queued for queued in queue if queued.content.store == ACCOUNTS])

    def _write(self, queue: list[_Queued]) -> None:
        contents = [queued.content for queued in queue]
        errors = self._driver.bulk_write(contents) if self._driver and not self._dry_run and contents else [None] * len(queue)
        faults = [error for error in errors if error is not None and not _is_of_content(error)]
        for queued, error in zip(queue, errors, strict=True):
            if error is not None and queued.content.sort == "archive" and not faults:
                self._write_each(queued)
            elif error is None or _is_of_content(error):
                self._account(queued, error)
        if faults:
            raise faults[0]

    def _add(self, owner: Owner, queued: _Queued, size: int) -> None:
        place = queued.content[:3]
        if place in self._places:
            self.flush()  # a batch names each store once
        self._places.add(place)
        self._queue.append(queued)
        self._owners.add(owner)
        self._size += size
        if self._size >= MOST:
            self.flush()

    def _settle(self, owner: Owner) -> None:
        if owner in self._owners:
            self.flush()

    def _write_each(self, queued: _Queued) -> None:
        """Write the items one by one, to leave out only those that the storage refuses."""
        (kind,) = queued.counts
        for item in queued.content.content:
            one = Content(*queued.content[:4], [item])
            assert self._driver
            (error,) = self._driver.bulk_write([one])
            if error is not None and not _is_of_content(error):
                raise error
            self._account(_Queued(one, Counter({kind: 1})), error)

    def _account(self, queued: _Queued, error: Exception | None) -> None:
        for kind, count in queued.counts.items():
            if error is None:
                self._report.written(kind, count)
            else:
                self._report.left_out(str(Owner(queued.content.user, queued.content.host)), kind, str(error), count)


def _is_of_content(error: Exception) -> bool:
    """Whether another content may be written; a full disk or a lost database is of no use for any."""
    return isinstance(error, BadValue) or (isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.ENAMETOOLONG)


def steady_id(element: Element, when: float, number: int) -> str:
    """An id for an item of a source without ids: the same whenever it is imported."""
    digest = hashlib.sha256(f"{number}:{when!r}:".encode() + tostring(element)).digest()
    return urlsafe_b64encode(digest[:18]).decode()
