"""Writes the items of one archive of an account or room to the target, in order and in batches."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto

from drivers import ArchiveItem
from xmpp_rest.importing.domains import Domains
from xmpp_rest.importing.records import Archived
from xmpp_rest.importing.target import ImportTarget, Owner
from xmpp_rest.protocol.element import serialise

BATCH = 1000  # items that are kept in memory
REMEMBERED = 1_000_000  # ids, about 64 bytes each


class Present(Enum):
    """What is done where the target has content already."""

    NOTHING = auto()  # it has none
    GO_ON = auto()  # of an interrupted import: items that it has are passed over, if the archive begins with them
    REPLACE = auto()
    ADD = auto()  # what is new comes at the end; an item with the same id is replaced


class ArchiveWriting:
    """The writing of one archive."""

    def __init__(self, target: ImportTarget, owner: Owner, store: str, kind: str, present: Present) -> None:
        self._target, self._owner, self._store, self._kind = target, owner, store, kind
        self._there: Iterator[str] = target.ids(owner, store) if present is Present.GO_ON else iter(())
        self._new = present is Present.NOTHING
        self._hashes: set[int] = set()  # of the ids that were written, while the archive is new
        self._differs = False
        self.kept_back = 0
        """Items that were not written, as the archive of the target does not begin as the source does."""
        self._items: dict[str, ArchiveItem] = {}
        if present is Present.REPLACE:
            target.clear(owner, store)

    def add(self, item: ArchiveItem) -> None:
        """Write an item, unless the target has it."""
        there = None if self._differs else next(self._there, None)
        if there == item.id:
            return
        if there is not None or self._differs:
            self._differs = True
            self.kept_back += 1
            return
        if self._new:
            self._note(item.id)
        self._items.pop(item.id, None)
        self._items[item.id] = item
        if len(self._items) >= BATCH:
            self.end()

    def end(self) -> None:
        """Write what is kept back in memory."""
        self._target.extend(self._owner, self._store, list(self._items.values()), self._kind, new=self._new)
        self._items = {}

    def _note(self, identifier: str) -> None:
        """Note the id of an item: after one that may have come before, or too many, the target has to look for each."""
        number = hash(identifier)
        if (number in self._hashes and identifier not in self._items) or len(self._hashes) >= REMEMBERED:
            self._new, self._hashes = False, set()
        else:
            self._hashes.add(number)


def item_of(domains: Domains, archived: Archived) -> ArchiveItem:
    """The item to be stored, with renamed addresses. Raises BadXML."""
    identifier, when, with_, stanza = archived
    for name in ("from", "to"):
        if name in stanza.attrib:
            stanza.set(name, domains.text(stanza.attrib[name]))
    return ArchiveItem(identifier, when, domains.text(with_), serialise(stanza))
