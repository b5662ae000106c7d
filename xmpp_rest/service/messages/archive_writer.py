"""The archive writer: archives messages before they are accepted, in order, with one commit for all that arrive at once.

Threads queue their messages; one of them archives and publishes all that wait. So accounts that send at the same time, and one that
sends over many connections, share the wait for the disk.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from xml.etree.ElementTree import Element

from drivers import ArchiveItem, BadValue, StorageError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.messages.archive import Archive
from xmpp_rest.service.messages.clock import MonotonicClock
from xmpp_rest.service.streams.registry import Event, Streams
from xmpp_rest.threads.group import GroupExecutor

MOST = 64  # messages that one thread archives at once, as its own caller waits too


class ArchiveWrite:
    """One message to be written to the archive of `owner`."""

    def __init__(self, owner: JID, stanza: Element, text: str, partner: JID, *, sent: bool, when: float = 0.0) -> None:
        """`when`: Unix time; 0.0: when it is archived."""
        self.owner = owner
        self.stanza = stanza
        self.item = ArchiveItem(str(uuid.uuid4()), when, str(partner.bare), text)
        self.sent = sent

    def set_time(self, clock: MonotonicClock) -> None:
        """Give it the present time, unless it has one. Called with the `order` of its owner held, so that times rise in each archive."""
        if not self.item.when:
            self.item = replace(self.item, when=clock.tick())

    def event(self) -> Event:
        """What the open streams are told."""
        return Event(self.item.id, self.item.when, self.stanza, self.sent)


class ArchiveWriter:
    """Archives messages and publishes them to the open streams, in the same order. Safe to be used by any thread."""

    def __init__(self, archive: Archive, streams: Streams, clock: MonotonicClock, settle: Callable[[JID], None]) -> None:
        """`settle`: have archived what was accepted from the account before, so that archives have the order of the streams."""
        self._archive = archive
        self._settle = settle
        self._streams = streams
        self._clock = clock
        self._group: GroupExecutor[ArchiveWrite, Exception | None] = GroupExecutor(self._write, MOST)

    def write_all(self, messages: Sequence[ArchiveWrite]) -> Sequence[Exception | None]:
        """Archive messages, in their order; they are durable when this returns. The error of each, or None."""
        return self._group.run(messages) if messages else ()

    def _write(self, messages: list[ArchiveWrite]) -> list[Exception | None]:
        writes: dict[JID, list[ArchiveWrite]] = {}
        for message in messages:
            writes.setdefault(message.owner, []).append(message)
        with self._streams.orders(writes):
            errors = self._settle_all(writes)
            for message in messages:
                message.set_time(self._clock)
            errors |= self._archive_all(writes)
        return [errors[id(message)] for message in messages]

    def _settle_all(self, writes: dict[JID, list[ArchiveWrite]]) -> dict[int, Exception | None]:
        """The errors of messages that cannot be archived, as what came before cannot; they are taken out of `writes`."""
        errors: dict[int, Exception | None] = {}
        for owner in tuple(writes):
            try:
                self._settle(owner)
            except StorageError as e:
                errors |= dict.fromkeys(map(id, writes.pop(owner)), e)
        return errors

    def _archive_all(self, writes: dict[JID, list[ArchiveWrite]]) -> dict[int, Exception | None]:
        """Archive and publish these with one commit; a message that the storage refuses does not affect the others."""
        errors: dict[int, Exception | None] = {}
        kept = self._archive.keep_all({owner: [m.item for m in some] for owner, some in writes.items()})
        for (owner, some), error in zip(writes.items(), kept, strict=True):
            if isinstance(error, BadValue) and len(some) > 1:  # raised before anything is written
                for one in some:
                    errors |= self._archive_all({owner: [one]})
                continue
            errors |= dict.fromkeys(map(id, some), error)
            if error is None:
                for m in some:
                    self._streams.publish(owner, m.event())
        return errors
