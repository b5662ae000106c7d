"""How do many messages get into the archives, in order, and yet with one commit for all that come at once?

Threads leave their messages; whoever has the turn archives and shows all that wait. So accounts that send at once, and one that sends over
many connections, wait for the disk together.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from drivers import BadValue
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.messages.archive import Archive, Entry
from xmpp_rest.service.messages.clock import Stamps
from xmpp_rest.service.streams.registry import Event, Streams
from xmpp_rest.threads.group import GroupExecutor

MOST = 64  # messages that one thread archives at once: somebody waits for it too


class Letter:
    """One message on its way into the archive of `owner`."""

    def __init__(self, owner: JID, stanza: Element, text: str, partner: JID, *, sent: bool) -> None:
        self.owner = owner
        self.stanza = stanza
        self.entry = Entry(str(uuid.uuid4()), 0.0, partner, text)
        self.sent = sent


class Archiving:
    """Archives messages and shows them to the open streams; both have the same order. Safe to be used by any thread."""

    def __init__(self, archive: Archive, streams: Streams, stamps: Stamps) -> None:
        self._archive = archive
        self._streams = streams
        self._stamps = stamps
        self._group: GroupExecutor[Letter, Exception | None] = GroupExecutor(self._take, MOST, self._stamp)

    def take_all(self, messages: Sequence[Letter]) -> Sequence[Exception | None]:
        """Archive messages, in their order; they are in the archives when this returns. What went wrong with each."""
        return self._group.run(messages) if messages else ()

    def _stamp(self, messages: Sequence[Letter]) -> None:
        for message in messages:
            message.entry = message.entry._replace(when=self._stamps.next())

    def _take(self, messages: list[Letter]) -> list[Exception | None]:
        letters: dict[JID, list[Letter]] = {}
        for message in messages:
            letters.setdefault(message.owner, []).append(message)
        with self._streams.orders(letters):
            errors = self._keep(letters)
        return [errors[id(message)] for message in messages]

    def _keep(self, letters: dict[JID, list[Letter]]) -> dict[int, Exception | None]:
        """Archive and show these with one commit; if the storage does not take one of them, that is none of the others' business."""
        errors: dict[int, Exception | None] = {}
        kept = self._archive.keep_all({owner: [m.entry for m in some] for owner, some in letters.items()})
        for (owner, some), error in zip(letters.items(), kept, strict=True):
            if isinstance(error, BadValue) and len(some) > 1:  # raised before anything is written
                for one in some:
                    errors |= self._keep({owner: [one]})
                continue
            errors |= dict.fromkeys(map(id, some), error)
            if error is None:
                self._show(owner, some)
        return errors

    def _show(self, owner: JID, messages: list[Letter]) -> None:
        for m in messages:
            self._streams.publish(owner, Event(m.entry.id, m.entry.when, m.stanza, m.sent))
