"""Message archives: stanzas by owner, read page by page (XEP-0313 §4, XEP-0059)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple, Protocol
from xml.etree.ElementTree import Element

from drivers import Addition, ArchiveItem, ArchiveQuery, Driver, ItemNotFound
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.parse import parse_all_stored

log = logging.getLogger("xmpp_rest.storage")

ARCHIVE = "archive"
MOST_COUNTED = 10_000
"""Items of a filtered archive that are counted beside a page: 10,000 cost 1 ms. The count of a whole archive is kept by the storage."""


class ArchivedMessage(NamedTuple):
    """One archived stanza: its id in this archive, its time (Unix time, seconds), the stanza."""

    id: str
    when: float
    stanza: Element


@dataclass(frozen=True, slots=True)
class ArchiveFilter:
    """Conditions for stanzas of an archive, which must all hold. `before` and `after` are archive ids."""

    start: float | None = None  # Unix time, inclusive
    end: float | None = None  # Unix time, inclusive
    partner: JID | None = None  # bare: any of its resources
    before: str | None = None
    after: str | None = None
    ids: tuple[str, ...] | None = None

    def query(self, limit: int | None = None, *, newest_first: bool = False) -> ArchiveQuery:
        partner = str(self.partner.bare) if self.partner else None
        return ArchiveQuery(self.start, self.end, partner, self.before, self.after, self.ids, limit, newest_first)

    def fitting(self, found: list[ArchivedMessage]) -> list[ArchivedMessage]:
        """Those whose partner has the resource that is asked for, which the storage does not compare."""
        if self.partner is None or not self.partner.resource:
            return found
        full = str(self.partner)
        return [kept for kept in found if full in (kept.stanza.get("from"), kept.stanza.get("to"))]


EVERYTHING = ArchiveFilter()


class Page(NamedTuple):
    """Stanzas in order of arrival; `complete`: there are no more in the direction of paging."""

    items: list[ArchivedMessage]
    complete: bool


class Settler(Protocol):
    """Archives what is accepted and not archived yet; Unarchived is one. Methods raise StorageError."""

    def settle(self, owner: JID) -> None: ...
    def settle_all(self) -> None: ...
    def settle_for_good(self, owner: JID) -> None: ...


class NothingToSettle:
    """For archives whose messages are archived before they are accepted."""

    def settle(self, owner: JID) -> None:
        """Nothing."""

    def settle_all(self) -> None:
        """Nothing."""

    def settle_for_good(self, owner: JID) -> None:
        """Nothing."""


class Archive:
    """The archives in one store: one for each address that owns one. Every method raises StorageError.

    A reader finds everything that was accepted before.
    """

    def __init__(self, driver: Driver, store: str = ARCHIVE, unarchived: Settler | None = None) -> None:
        """`unarchived`: what may be accepted and not archived yet; None: there is nothing of this kind."""
        self._driver = driver
        self._store = store
        self._unarchived: Settler = unarchived or NothingToSettle()

    def keep(self, owner: JID, text: str, when: float, partner: JID) -> str:
        """Add a stanza's text; its id in the archive."""
        return self._driver.archive_append(*self._place(owner), text, when=when, with_=str(partner.bare))

    def keep_all(self, items: Mapping[JID, Sequence[ArchiveItem]]) -> list[Exception | None]:
        """Add items with new ids to the archives of these owners, in order; the error of each owner, or None.

        Raises nothing itself, and is faster than one archive after the other.
        """
        return self._driver.archive_extend_all([Addition(*self._place(owner), some, new=True) for owner, some in items.items()])

    def known(self, owner: JID, ids: Sequence[str]) -> Collection[str]:
        """Which of these ids are in the archive as it is."""
        found = self._driver.archive_find(*self._place(owner), ArchiveQuery(ids=tuple(ids)))
        return {item.id for item in found}

    def last_id(self, owner: JID) -> str:
        """The id of the item that came last; "" in an empty archive."""
        newest = ArchiveQuery(limit=1, newest_first=True)
        return next((item.id for item in self._find(owner, newest)), "")

    def page(
        self, owner: JID, wanted: ArchiveFilter, limit: int, *, newest: bool = False, fits: Callable[[Element], bool] | None = None
    ) -> Page:
        """The oldest, or the `newest`, `limit` items that match and that `fits` accepts. Raises ItemNotFound for an unknown id.

        The cost does not depend on the size of the archive, unless most of it does not match.
        """
        walk = self._walk(owner, wanted, limit + 1, newest=newest)
        found = list(islice((kept for kept in walk if fits is None or fits(kept.stanza)), limit + 1))
        items = found[:limit]
        return Page(items[::-1] if newest else items, len(found) <= limit)

    def count(self, owner: JID, wanted: ArchiveFilter) -> int | None:
        """The number of items that match, at a cost that grows with it. None if the storage alone cannot count them."""
        if wanted.partner and wanted.partner.resource:
            return None
        self._unarchived.settle(owner)
        return self._driver.archive_count(*self._place(owner), wanted.query())

    def count_quickly(self, owner: JID, wanted: ArchiveFilter) -> int | None:
        """As `count`, at a cost that is bounded: None also if there are more than MOST_COUNTED, unless everything is counted."""
        if wanted == EVERYTHING:
            return self.count(owner, wanted)
        if wanted.partner and wanted.partner.resource:
            return None
        self._unarchived.settle(owner)
        most = MOST_COUNTED + 1
        count = self._driver.archive_count_within(*self._place(owner), wanted.query(), most=most)
        return count if count < most else None

    def remove(self, owner: JID, wanted: ArchiveFilter, limit: int | None = None) -> int:
        """Remove the items that match, the oldest `limit` at most; their number. The partner's resource is ignored."""
        self._unarchived.settle_for_good(owner)
        return self._driver.archive_delete(*self._place(owner), wanted.query(limit))

    def has_before(self, owner: JID, until: float) -> bool:
        """Whether the archive as it is has items up to this time (Unix, seconds)."""
        return bool(self._driver.archive_count_within(*self._place(owner), ArchiveQuery(end=until), most=1))

    def prune(self, owner: JID, until: float, limit: int) -> int:
        """Remove the oldest items up to this time, at most `limit`; their number. What is accepted and not archived yet is left alone.

        All of them where removing a few costs what removing all does (decision 0040).
        """
        most = None if self._driver.rewrites_archives else limit
        return self._driver.archive_delete(*self._place(owner), ArchiveQuery(end=until, limit=most))

    def settle_for_good(self, owner: JID) -> None:
        """Have everything archived that was accepted, so that nothing of it comes after the archive is removed."""
        self._unarchived.settle_for_good(owner)

    def owners(self, domain: str) -> Iterator[JID]:
        """The accounts at `domain` with archived items."""
        self._unarchived.settle_all()
        return (JID(local, domain, "") for local in self._driver.users(domain, self._store))

    def _place(self, owner: JID) -> tuple[str | None, str, str]:
        """Where the driver keeps an archive; that of a domain without a user."""
        return owner.local or None, owner.domain, self._store

    def _walk(self, owner: JID, wanted: ArchiveFilter, batch: int, *, newest: bool) -> Iterator[ArchivedMessage]:
        query = wanted.query(batch, newest_first=newest)
        items = self._find(owner, query)
        while items:
            yield from wanted.fitting(_all_parsed(items))
            if len(items) < batch:
                return
            query, items = self._beyond(owner, query, items)

    def _beyond(self, owner: JID, query: ArchiveQuery, items: list[ArchiveItem]) -> tuple[ArchiveQuery, list[ArchiveItem]]:
        """The query for the batch behind these items, and its items. Those that were removed in the meantime bound nothing any more."""
        for item in reversed(items):
            further = replace(query, before=item.id) if query.newest_first else replace(query, after=item.id)
            try:
                return further, self._find(owner, further)
            except ItemNotFound:
                continue
        return query, self._find(owner, query)

    def _find(self, owner: JID, query: ArchiveQuery) -> list[ArchiveItem]:
        self._unarchived.settle(owner)
        return list(self._driver.archive_find(*self._place(owner), query))


def _all_parsed(items: Sequence[ArchiveItem]) -> list[ArchivedMessage]:
    """The archived stanzas, without what is none, which another program has stored: a warning for each."""
    found = []
    for item, stanza in zip(items, parse_all_stored([item.stanza for item in items]), strict=True):
        if isinstance(stanza, BadXML):
            log.warning("the archive item %s is not a stanza: %s", item.id, stanza)
        else:
            found.append(ArchivedMessage(item.id, item.when, stanza))
    return found
