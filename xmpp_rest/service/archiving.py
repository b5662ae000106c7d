"""How do many messages of one account get into its archive, in order, and yet with one commit for all that come at once?

Threads queue their messages; whoever gets the account's turn archives and shows all that wait. So one account that sends over many
connections waits for the disk as seldom as many accounts do.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from drivers import BadValue, StorageError
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.archive import Archive, Entry
from xmpp_rest.service.stamps import Stamps
from xmpp_rest.service.streams import Event, Streams

MOST = 64  # messages that one thread archives at once: somebody waits for it, too


class Letter:
    """One message on its way into the archive, and what came of it."""

    def __init__(self, stanza: Element, text: str, partner: JID, *, sent: bool) -> None:
        self.stanza = stanza
        self.entry = Entry(str(uuid.uuid4()), 0.0, partner, text)
        self.sent = sent
        self.settled = False
        self.error: Exception | None = StorageError("the thread that was writing for this one was interrupted")


class Archiving:
    """Archives messages and shows them to the open streams; both have the same order. Safe to be used by any thread."""

    def __init__(self, archive: Archive, streams: Streams, stamps: Stamps) -> None:
        self._archive = archive
        self._streams = streams
        self._stamps = stamps
        self._waiting: dict[JID, list[Letter]] = {}
        self._lock = threading.Lock()

    def take_all(self, owner: JID, messages: Sequence[Letter]) -> list[Exception | None]:
        """Archive messages for `owner`, in their order; they are in the archive when this returns. What went wrong with each."""
        if messages:
            with self._lock:
                for message in messages:
                    message.entry = message.entry._replace(when=self._stamps.next())
                self._waiting.setdefault(owner, []).extend(messages)
            with self._streams.order(owner):
                while not messages[-1].settled:  # with more than MOST before it, it is not among the first
                    self._settle(owner)
        return [message.error for message in messages]

    def _settle(self, owner: JID) -> None:
        """Archive what waits; with the owner's turn."""
        with self._lock:
            waiting = self._waiting.pop(owner)
            messages, rest = waiting[:MOST], waiting[MOST:]
            if rest:
                self._waiting[owner] = rest
        try:
            self._keep(owner, messages)
        finally:
            for message in messages:
                message.settled = True

    def _keep(self, owner: JID, messages: list[Letter]) -> None:
        """Archive and show these with one commit; if the storage does not take one of them, that is none of the others' business."""
        try:
            self._archive.keep_all(owner, [m.entry for m in messages])
        except BadValue as e:  # raised before anything is written
            if len(messages) == 1:
                messages[0].error = e
            else:
                for message in messages:
                    self._keep(owner, [message])
            return
        except Exception as e:
            for message in messages:
                message.error = e
            return
        for m in messages:
            m.error = None
            self._streams.publish(owner, Event(m.entry.id, m.entry.when, m.stanza, m.sent))
