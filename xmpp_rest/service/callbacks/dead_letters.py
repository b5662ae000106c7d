"""Dead letters: the latest stanzas that could not be delivered to a callback's URL, stored until they are replayed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from drivers import Addition, ArchiveItem, ArchiveQuery, Driver
from xmpp_rest.protocol.element import BadXML, serialise
from xmpp_rest.protocol.parse import parse_stored
from xmpp_rest.service.callbacks.delivery import Delivery, UnreadableDelivery, delivery_of

log = logging.getLogger("xmpp_rest.callbacks")

Keep = Callable[[Addition], None]
"""Stores an item; raises StorageError."""
_NAME = "{urn:x-xmpp-rest:callback}letter"  # in the storage only


class DeadLetter(NamedTuple):
    """A stanza that was given up at `when` (Unix time), the number of attempts, and the reason why the last one failed."""

    delivery: Delivery
    when: float
    attempts: int
    reason: str


class DeadLetters:
    """The dead letters of every callback: an archive of the host for each, oldest first. Methods raise StorageError."""

    def __init__(self, driver: Driver, host: str, keep: Keep | None = None) -> None:
        """`keep`: stores one; None: the driver does."""
        self._driver = driver
        self._host = host
        self._keep = keep or self._append

    def kept_by(self, keep: Keep) -> DeadLetters:
        """The same ones; `keep` stores those that are added."""
        return DeadLetters(self._driver, self._host, keep)

    def _append(self, addition: Addition) -> None:
        for item in addition.items:
            self._driver.archive_append(
                addition.user, addition.host, addition.store, item.stanza, when=item.when, with_=item.with_, key=item.id
            )

    def add(self, callback: str, delivery: Delivery, attempts: int, reason: str, size: int) -> None:
        """Store a stanza; of more than `size` the oldest are removed. Raises StorageError, BadXML."""
        if not size:
            return
        attributes = {"since": repr(delivery.since), "attempts": str(attempts), "reason": reason, "request": delivery.request_id}
        letter = Element(_NAME, attributes)
        letter.text = serialise(delivery.stanza)  # as text: one more level of elements could be too deep to be read
        store, sender = _store(callback), str(delivery.sender.bare)
        self._keep(Addition(None, self._host, store, (ArchiveItem(delivery.id, time.time(), sender, serialise(letter)),)))
        if (over := self.count(callback) - size) > 0:  # by their ids: nothing else goes where another owner has done it meanwhile
            oldest = tuple(item.id for item in self._driver.archive_find(None, self._host, store, ArchiveQuery(limit=over)))
            self._driver.archive_delete(None, self._host, store, ArchiveQuery(ids=oldest))

    def count(self, callback: str) -> int:
        """The number of dead letters."""
        return self._driver.archive_count(None, self._host, _store(callback))

    def find(self, callback: str, *, after: str | None = None, ids: Sequence[str] | None = None, limit: int = 100) -> Iterator[DeadLetter]:
        """Those after the one of id `after`, or with these ids; oldest first. Raises ItemNotFound for an unknown `after`."""
        query = ArchiveQuery(after=after, ids=None if ids is None else tuple(ids), limit=limit)
        for item in self._driver.archive_find(None, self._host, _store(callback), query):
            try:
                yield _letter(item)
            except UnreadableDelivery as e:
                log.error("dead letter %s of callback %s cannot be read: %s", item.id, callback, e)

    def remove(self, callback: str, ids: Sequence[str], before: float) -> None:
        """Remove these, if they were given up by then (Unix time)."""
        self._driver.archive_delete(None, self._host, _store(callback), ArchiveQuery(ids=tuple(ids), end=before))


def _store(callback: str) -> str:
    return f"callback_{callback}_dead"


def _letter(item: ArchiveItem) -> DeadLetter:
    try:
        letter = parse_stored(item.stanza)
        since, attempts = float(letter.attrib["since"]), int(letter.attrib["attempts"])
    except (BadXML, KeyError, ValueError) as e:
        raise UnreadableDelivery(str(e)) from e
    delivery = delivery_of(letter.text or "", item.id, since, replayed=True, request_id=letter.get("request"))
    return DeadLetter(delivery, item.when, attempts, letter.get("reason", ""))
