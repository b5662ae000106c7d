"""Archives of senders where the journal of the outbox writes them: by the commit that promises the message (many-machines §7, §10)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from drivers import Addition, ArchiveItem
from xmpp_rest.incidents import Incidents
from xmpp_rest.link.journal import NotedEntry
from xmpp_rest.protocol.jid import JID
from xmpp_rest.service.messages.archive import ARCHIVE
from xmpp_rest.service.messages.archive_queue import QueuedMessage, left_over

log = logging.getLogger("xmpp_rest.storage")


class SentArchive(Protocol):
    """What archives messages for other domains for their senders; ArchiveQueue does so behind the answers. In the leader alone."""

    def note_of(self, owner: JID, item: ArchiveItem) -> Any:
        """What the journal of the outbox is to keep, or to do, of an item besides the stanza."""
        ...

    def has_room(self, count: int) -> bool:
        """Whether so many more may be put."""
        ...

    def put(self, messages: Sequence[QueuedMessage]) -> None:
        """These are in the journal."""
        ...

    def settle(self, owner: JID) -> None:
        """Have everything archived that was put for `owner`. Raises StorageError."""
        ...

    def restore(self, entries: Iterable[NotedEntry]) -> None:
        """Know what earlier processes have left over. Called before anything is put. Raises OSError."""
        ...

    def start(self) -> None:
        """Begin to archive."""
        ...

    def stop(self, *, archives: bool = True) -> None:
        """End. `archives`: whether the storage may still be changed."""
        ...


class ArchivedByJournal:
    """Messages are in the archive before they are accepted, so that readers on all machines find them, and nothing is left to be done."""

    def __init__(self, incidents: Incidents) -> None:
        self._incidents = incidents

    def note_of(self, owner: JID, item: ArchiveItem) -> Addition:
        """The journal commits it together with the stanza."""
        return Addition(owner.local or None, owner.domain, ARCHIVE, (item,), new=True)

    def of_note(self, entry: NotedEntry) -> Addition | None:
        """The same for what an ArchiveQueue has noted, when the node was alone; None: it cannot be read."""
        try:
            message = left_over(entry)
        except Exception as e:  # another program has changed the journal
            self._incidents.report(log, "sent-unkept", "an entry of the outbox cannot be archived: %r", e)
            return None
        return self.note_of(message.owner, message.item)._replace(new=False)

    def has_room(self, _count: int) -> bool:
        """Nothing is queued."""
        return True

    def put(self, _messages: Sequence[QueuedMessage]) -> None:
        """They are archived."""

    def settle(self, _owner: JID) -> None:
        """Everything is archived."""

    def restore(self, _entries: Iterable[NotedEntry]) -> None:
        """Nothing is left over."""

    def start(self) -> None:
        """There is nothing to begin."""

    def stop(self, *, archives: bool = True) -> None:
        """There is nothing to end."""
