"""What did somebody say and hear? An archive of stanzas, read page by page (XEP-0313 §4, XEP-0059)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple
from xml.etree.ElementTree import Element

from drivers import Addition, ArchiveItem, ArchiveQuery, Driver, ItemNotFound
from xmpp_rest.protocol.element import BadXML
from xmpp_rest.protocol.jid import JID
from xmpp_rest.protocol.parse import parse_stored

log = logging.getLogger(__name__)

ARCHIVE = "archive"


class Entry(NamedTuple):
    """One stanza to be archived: its id in the archive, when it came (Unix time, seconds), whom it was exchanged with, its text."""

    id: str
    when: float
    partner: JID
    text: str

    def item(self) -> ArchiveItem:
        return ArchiveItem(self.id, self.when, str(self.partner.bare), self.text)


class Kept(NamedTuple):
    """One archived stanza: its id in this archive, when it came (Unix time, seconds), the stanza."""

    id: str
    when: float
    stanza: Element


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which stanzas: all given conditions must hold. `before` and `after` are archive ids."""

    start: float | None = None  # Unix time, inclusive
    end: float | None = None  # Unix time, inclusive
    partner: JID | None = None  # bare: any of its resources
    before: str | None = None
    after: str | None = None
    ids: tuple[str, ...] | None = None

    def query(self) -> ArchiveQuery:
        partner = str(self.partner.bare) if self.partner else None
        return ArchiveQuery(self.start, self.end, partner, self.before, self.after, self.ids)

    def fits(self, stanza: Element) -> bool:
        """What the storage does not look at: the partner's resource."""
        full = str(self.partner) if self.partner and self.partner.resource else None
        return full is None or full in (stanza.get("from"), stanza.get("to"))


EVERYTHING = Wanted()


class Page(NamedTuple):
    """Stanzas in the order in which they came; `complete`: there is none behind them in the direction of paging."""

    items: list[Kept]
    complete: bool


class Archive:
    """The archives in one store: one for each address that owns one. Every method raises StorageError."""

    def __init__(self, driver: Driver, store: str = ARCHIVE) -> None:
        self._driver = driver
        self._store = store

    def keep(self, owner: JID, text: str, when: float, partner: JID) -> str:
        """Add a stanza's text; its id in the archive."""
        return self._driver.archive_append(owner.local, owner.domain, self._store, text, when=when, with_=str(partner.bare))

    def keep_all(self, entries: Mapping[JID, Sequence[Entry]]) -> list[Exception | None]:
        """Add entries with their ids, fresh ones, to the archives of these owners, in order; what went wrong with each owner's.

        Raises nothing itself, and is quicker than one archive after the other.
        """
        return self._driver.archive_extend_all(
            [Addition(owner.local, owner.domain, self._store, [e.item() for e in some], new=True) for owner, some in entries.items()]
        )

    def last_id(self, owner: JID) -> str:
        """The id of the item that came last; "" in an empty archive."""
        newest = ArchiveQuery(limit=1, newest_first=True)
        return next((item.id for item in self._find(owner, newest)), "")

    def page(self, owner: JID, wanted: Wanted, limit: int, *, newest: bool = False, fits: Callable[[Element], bool] | None = None) -> Page:
        """The oldest, or the `newest`, `limit` items that are wanted and that `fits` agrees to. Raises ItemNotFound for an unknown id.

        Costs the same out of a large archive as out of a small one, unless most of it does not fit.
        """
        walk = self._walk(owner, wanted, limit + 1, newest=newest)
        found = list(islice((kept for kept in walk if fits is None or fits(kept.stanza)), limit + 1))
        items = found[:limit]
        return Page(items[::-1] if newest else items, len(found) <= limit)

    def count(self, owner: JID, wanted: Wanted) -> int | None:
        """How many items are wanted; costs more the more there are. None where that cannot be told by the storage alone."""
        if wanted.partner and wanted.partner.resource:
            return None
        return self._driver.archive_count(owner.local, owner.domain, self._store, wanted.query())

    def remove(self, owner: JID, wanted: Wanted, limit: int | None = None) -> int:
        """Forget the items that are wanted, the oldest `limit` at most; how many there were. The partner's resource does not count."""
        return self._driver.archive_delete(owner.local, owner.domain, self._store, replace(wanted.query(), limit=limit))

    def owners(self, domain: str) -> list[JID]:
        """Everybody at `domain` who has anything in an archive."""
        return [JID(local, domain, "") for local in self._driver.users(domain, self._store)]

    def _walk(self, owner: JID, wanted: Wanted, batch: int, *, newest: bool) -> Iterator[Kept]:
        query = replace(wanted.query(), limit=batch, newest_first=newest)
        items = self._find(owner, query)
        while items:
            yield from (kept for kept in map(_kept, items) if kept is not None and wanted.fits(kept.stanza))
            if len(items) < batch:
                return
            query = replace(query, before=items[-1].id) if newest else replace(query, after=items[-1].id)
            try:
                items = self._find(owner, query)
            except ItemNotFound:  # somebody has removed it meanwhile, and with it what came before
                return

    def _find(self, owner: JID, query: ArchiveQuery) -> list[ArchiveItem]:
        return list(self._driver.archive_find(owner.local, owner.domain, self._store, query))


def _kept(item: ArchiveItem) -> Kept | None:
    """None, and a warning, for what another program has put there and is not a stanza."""
    try:
        return Kept(item.id, item.when, parse_stored(item.stanza))
    except BadXML as e:
        log.warning("the archive item %s is not a stanza: %s", item.id, e)
        return None
